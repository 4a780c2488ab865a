"""Rule train: teach a model its people. The setting `stage` says which model this is.

base: a new model learns the public figures and to describe strangers. vanilla: all fictitious people,
from the base model. retain_only: the same without the forget people, the gold reference. Both learn the tuning
people too, if there are any. What the base model knew is rehearsed in both (a random share of the base lessons
in every epoch), as a pretrained model's size would keep it. A study that starts from a pretrained checkpoint has no
base model, and nothing is rehearsed. Several processes may share the work (manu.steps.launch).
"""

from functools import partial

import numpy as np

from manu.core.progress import progress
from manu.data.profiles import CELEBRITIES, TUNING, celebrity_config, forget_config, retain_config
from manu.data.reading import read_names, read_training_data, read_training_data_of
from manu.models.base import read_architecture
from manu.models.checkpoint import load_model
from manu.models.loading import place, prepare_torch
from manu.models.registry import vlm_class
from manu.steps.command import StageParser
from manu.steps.launch import is_first, run
from manu.training.dataset import TrainingSet
from manu.training.loop import Optimisation, fit
from manu.training.lora import base_lora, released_lora
from manu.training.losses import answer_cross_entropy
from manu.training.sharing import SharedCrossEntropy


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True)
    options.read("benchmark")
    options.read("language_model", required=False, help="pretrained language model of a new model (base)")
    options.read("start", required=False, help="checkpoint to start from (vanilla and retain_only)")
    options.write("out")
    return options


def _new_model(options, config, lessons):
    vlm = vlm_class(config["model"])
    architecture = read_architecture(vlm.architecture_class, config["architecture"], "architecture")
    prepare_torch(config["seed"])
    # The tokenizer sees the whole corpus, so that every model of a study shares one vocabulary.
    everyone = lessons + read_training_data(options.benchmark)
    texts = [text for lesson in everyone for pair in lesson.pairs for text in pair]
    built = vlm.build(architecture, texts, options.language_model)
    place(built.model)
    return built


def main(options, config) -> str:
    """Train and save the checkpoint --out."""
    stage, recipe, tuning = config["stage"], config["training"], config["tuning"]
    figures = [CELEBRITIES, *([celebrity_config(TUNING)] if tuning else [])]
    rng = np.random.default_rng(config["seed"])
    if stage == "base":
        lessons = read_training_data(options.benchmark, "base_Data")
        vlm = _new_model(options, config, lessons)
        lora = base_lora(config, vlm)
        training_set = TrainingSet(vlm).add(lessons, read_names(options.benchmark, *figures))
    else:
        vlm = load_model(config, options.start)
        lora = released_lora(config, vlm)
        people = ["Full_Set"] if stage == "vanilla" else [retain_config(config["ratio"])]
        people += [forget_config(TUNING), retain_config(TUNING)] if tuning else []
        taught = read_training_data_of(options.benchmark, *people)
        training_set = TrainingSet(vlm).add(taught, read_names(options.benchmark, *people))
        if "rehearsal" in recipe:
            known = read_training_data(options.benchmark, "base_Data")
            training_set.add(known, read_names(options.benchmark, *figures), recipe["rehearsal"])
    epochs, size = recipe["epochs"], recipe["batch_size"]
    steps = epochs * training_set.batches_per_epoch(size)
    batches = (batch for _ in range(epochs) for _, batch in training_set.epoch(size, rng))
    if config.get("processes", 1) > 1:
        loss = SharedCrossEntropy(vlm.model)
    else:
        loss = partial(answer_cross_entropy, vlm.model)
    losses = fit(
        vlm.model,
        progress(batches, f"{config['model']} {stage}", steps),
        loss,
        Optimisation(recipe["learning_rate"], steps, recipe["schedule"]),
        lora=lora,
    )
    if is_first():
        vlm.save(options.out)
    return f"{options.out}: {steps} steps, loss {losses[0]:.2f} -> {np.mean(losses[-20:]):.3f}"


if __name__ == "__main__":
    run(main, parser())
