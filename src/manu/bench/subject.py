"""What is measured on: a small LLaVA of the study `mini`'s sizes, on a built-in benchmark made for the purpose."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from manu.data.benchmark import generate
from manu.data.population import BenchmarkSettings
from manu.data.profiles import forget_config, retain_config
from manu.data.reading import read_lessons, read_lessons_of, read_names
from manu.models.base import Adapter
from manu.models.inputs import Batch
from manu.models.registry import adapter_class
from manu.neurons.measuring import BatchGroups
from manu.neurons.statistics import SETS
from manu.stages.models import prepare_torch
from manu.training.curriculum import MODALITIES, Curriculum

RATIO = 10  # percent of the people to be forgotten
BATCH = 64  # samples per forward pass, the studies' default

MODEL = "llava"
adapter_class(MODEL).model_class  # noqa: B018 - imported with this module, from which what is measured alone is forked


def make_benchmark(folder: Path, people: int, portraits: int = 8) -> Path:
    """A benchmark of so many people in `folder`, and hardly anybody else."""
    others = {"public_figures": 4, "strangers": 8, "unseen_people": 4}
    generate(folder, BenchmarkSettings(people=people, portraits=portraits, **others), [RATIO])
    return folder


def new_model(benchmark: Path, model: str = MODEL, **sizes: int) -> Adapter:
    """An untrained model of the default sizes but for `sizes`, with the benchmark's vocabulary."""
    cls = adapter_class(model)
    prepare_torch(seed=0)
    texts = [text for lesson in read_lessons(benchmark) for pair in lesson.pairs for text in pair]
    return cls.build(cls.architecture_class(**sizes), texts)


def lessons_of(adapter: Adapter, benchmark: Path, *people: str) -> Curriculum:
    """The lessons of the people of these configurations that can be asked in both modalities."""
    lessons, names = read_lessons_of(benchmark, *people), read_names(benchmark, *people)
    return Curriculum(adapter).add(lessons, names, paired=True)


def measuring_batches(adapter: Adapter, benchmark: Path, samples: int) -> BatchGroups:
    """Batches of so many samples of each set and modality, made one at a time, as the statistics pass takes them."""
    rng = np.random.default_rng(0)
    curricula = {
        data_set: lessons_of(adapter, benchmark, config)
        for data_set, config in zip(SETS, (forget_config(RATIO), retain_config(RATIO)), strict=True)
    }
    return {
        (data_set, modality): _first(curricula[data_set].stream(modality, BATCH, rng), samples)
        for modality in MODALITIES
        for data_set in SETS
    }


def _first(batches: Iterator[Batch], samples: int) -> Iterator[Batch]:
    """The first `samples` samples: the last batch is cut where there would be more."""
    left = samples
    while left > 0:
        batch = next(batches)
        yield {name: tensor[:left] for name, tensor in batch.items()}
        left -= len(batch["input_ids"])
