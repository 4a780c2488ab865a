"""The model and the data of the benchmarks: a small LLaVA with the sizes of the study `mini`, on generated people."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from manu.core.words import MODALITIES, SETS
from manu.data.benchmark import generate
from manu.data.population import BenchmarkSettings
from manu.data.profiles import forget_config, retain_config
from manu.data.reading import read_names, read_training_data, read_training_data_of
from manu.models.base import VisionLanguageModel
from manu.models.inputs import Batch
from manu.models.loading import prepare_torch
from manu.models.registry import vlm_class
from manu.neurons.measuring import BatchGroups
from manu.training.dataset import TrainingSet

RATIO = 10  # forget ratio in percent
BATCH = 64  # samples per forward pass, the studies' default

MODEL = "llava"
vlm_class(MODEL).model_class  # noqa: B018 - imports the class now, before processes are forked (benchmarks.memory)


def make_benchmark(folder: Path, people: int, portraits: int = 8) -> Path:
    """Generate a benchmark in `folder`, with few people outside the forget and retain sets."""
    settings = BenchmarkSettings(
        people=people,
        portraits=portraits,
        public_figures=4,
        strangers=8,
        stranger_portraits=1,
        unseen_people=4,
        anchor_people=4,
        image_size=64,
        seed=0,
    )
    generate(folder, settings, [RATIO])
    return folder


def new_model(benchmark: Path, model: str = MODEL, **sizes: int) -> VisionLanguageModel:
    """An untrained model with the benchmark's vocabulary. sizes: replace default sizes of the architecture."""
    cls = vlm_class(model)
    prepare_torch(seed=0)
    texts = [text for lesson in read_training_data(benchmark) for pair in lesson.pairs for text in pair]
    return cls.build(cls.architecture_class(**sizes), texts)


def lessons_of(vlm: VisionLanguageModel, benchmark: Path, *people: str) -> TrainingSet:
    """The paired training data of the people of these benchmark configurations: questions that have both modalities."""
    lessons, names = read_training_data_of(benchmark, *people), read_names(benchmark, *people)
    return TrainingSet(vlm).add(lessons, names, paired=True)


def measuring_batches(vlm: VisionLanguageModel, benchmark: Path, samples: int) -> BatchGroups:
    """Batches for the statistics pass, made on demand. samples: per set and modality."""
    rng = np.random.default_rng(0)
    training_sets = {
        data_set: lessons_of(vlm, benchmark, config)
        for data_set, config in zip(SETS, (forget_config(RATIO), retain_config(RATIO)), strict=True)
    }
    return {
        (data_set, modality): _first(training_sets[data_set].stream(modality, BATCH, rng), samples)
        for modality in MODALITIES
        for data_set in SETS
    }


def _first(batches: Iterator[Batch], samples: int) -> Iterator[Batch]:
    """The first `samples` samples; the last batch is cut."""
    left = samples
    while left > 0:
        batch = next(batches)
        yield {name: tensor[:left] for name, tensor in batch.items()}
        left -= len(batch["input_ids"])
