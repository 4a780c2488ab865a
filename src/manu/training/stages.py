"""The models that unlearning starts from and is compared with: base, vanilla and retain-only.

base: a new model learns the public figures, and to describe strangers; of these questions an epoch has a random share.
vanilla: learns all fictitious people, from the
base model. retain_only: learns them without the forget people, the gold reference. Both learn the tuning people too, if
there are any, and rehearse what the base model knows: every epoch has a random share of the base records.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from manu.core.batch import Batch
from manu.core.progress import progress
from manu.core.words import MODALITIES, MULTIMODAL
from manu.data.profiles import CELEBRITIES, TUNING, TrainingRecord, celebrity_config, forget_config, retain_config
from manu.data.reading import read_names, read_training_data, read_training_data_of
from manu.models.base import VisionLanguageModel, read_architecture
from manu.models.checkpoint import load_model
from manu.models.loading import place, prepare_torch
from manu.models.registry import vlm_class
from manu.training.dataset import TrainingSet
from manu.training.loop import Optimisation, fit
from manu.training.lora import base_lora, released_lora
from manu.training.losses import answer_cross_entropy
from manu.training.sharing import SharedCrossEntropy


def trained(
    config: dict, benchmark: Path, start: Path | None = None, language_model: Path | None = None
) -> tuple[VisionLanguageModel, list[float]]:
    """The model of the job's `stage`, trained, and the loss of each step.

    config: the job's stage, model, seed, training, tuning and, where it has them, architecture, loading, lora, ratio
    and processes. start: the checkpoint that vanilla and retain_only start from; language_model: the pretrained
    language model of a base model, if any.
    """
    stage, recipe = config["stage"], config["training"]
    figures = [CELEBRITIES, *([celebrity_config(TUNING)] if config["tuning"] else [])]
    rng = np.random.default_rng(config["seed"])
    if stage == "base":
        vlm = _new_model(config, benchmark, language_model)
        lora = base_lora(config, vlm)
        training_set = TrainingSet(vlm)
    else:
        if start is None:
            raise ValueError(f"{stage} starts from a checkpoint")
        vlm = load_model(config, start)
        lora = released_lora(config, vlm)
        people = ["Full_Set"] if stage == "vanilla" else [retain_config(config["ratio"])]
        people += [forget_config(TUNING), retain_config(TUNING)] if config["tuning"] else []
        records = read_training_data_of(benchmark, *people)
        taught = tuple(recipe.get("modalities", MODALITIES))
        training_set = TrainingSet(vlm, taught).add(records, read_names(benchmark, *people))
    if stage == "base" or "rehearsal" in recipe:
        names, share = read_names(benchmark, *figures), recipe.get("rehearsal", 1.0)
        of_figures: dict[bool, list[TrainingRecord]] = {True: [], False: []}
        for record in read_training_data(benchmark, "base_Data"):
            of_figures[record.id in names].append(record)
        training_set.add(of_figures[True], names, share)
        if MULTIMODAL in training_set.modalities:
            training_set.add(of_figures[False], {}, share * recipe["looks"])
    epochs, size = recipe["epochs"], recipe["batch_size"]
    steps = epochs * training_set.batches_per_epoch(size)
    batches = (batch for _ in range(epochs) for _, batch in training_set.epoch(size, rng))
    losses = fit(
        vlm.model,
        progress(batches, f"{config['model']} {stage}", steps),
        _loss(config, vlm),
        Optimisation(recipe["learning_rate"], steps, recipe["schedule"]),
        lora=lora,
    )
    return vlm, losses


def _new_model(config: dict, benchmark: Path, language_model: Path | None) -> VisionLanguageModel:
    """An untrained model. Its tokenizer sees the whole corpus, so that every model of a study shares one vocabulary."""
    cls = vlm_class(config["model"])
    architecture = read_architecture(cls.architecture_class, config["architecture"], "architecture")
    prepare_torch(config["seed"])
    corpus = [*read_training_data(benchmark, "base_Data"), *read_training_data(benchmark)]
    vlm = cls.build(architecture, [text for record in corpus for pair in record.pairs for text in pair], language_model)
    place(vlm.model)
    return vlm


def _loss(config: dict, vlm: VisionLanguageModel) -> Callable[[Batch], Tensor]:
    if config.get("processes", 1) > 1:
        return SharedCrossEntropy(vlm.model)
    return partial(answer_cross_entropy, vlm.model)
