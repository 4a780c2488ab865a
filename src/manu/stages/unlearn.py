"""Rule unlearn: a training method's gradient steps on the forget set, from the vanilla model."""

from pathlib import Path

import numpy as np

from manu.data.mllmu import forget_config, read_lessons_of, read_names, retain_people
from manu.models.base import Adapter
from manu.stages.command import StageParser, progress, run
from manu.stages.models import load_model
from manu.training.curriculum import Curriculum
from manu.training.loop import Optimisation, fit
from manu.unlearning.base import TrainingMethod
from manu.unlearning.choice import chosen_settings
from manu.unlearning.registry import create_method


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__)
    options.read("benchmark")
    options.read("vanilla")
    options.read("choice", required=False, help="the tuned settings (choice.json)")
    options.write("out")
    options.add_argument("--ratio", type=int, required=True, help="forget ratio in percent")
    return options


def unlearned(
    config: dict, method: TrainingMethod, benchmark: Path, vanilla: Path, ratio: int
) -> tuple[Adapter, list[float]]:
    """The vanilla model after the method's steps at a forget ratio, and the loss of each step.

    config: model, seed and method, of the job.
    """
    adapter = load_model(config, vanilla)
    reference = load_model(config, vanilla).model.requires_grad_(False) if method.needs_reference else None

    def curriculum(*people: str) -> Curriculum:
        lessons, names = read_lessons_of(benchmark, *people), read_names(benchmark, *people)
        return Curriculum(adapter, method.modalities).add(lessons, names)

    forget_rng, retain_rng = np.random.default_rng(config["seed"]).spawn(2)
    forget, size = curriculum(forget_config(ratio)), method.batch_size
    steps = method.epochs * forget.batches_per_epoch(size)
    batches = (item for _ in range(method.epochs) for item in forget.epoch(size, forget_rng))
    retain = {}
    if method.needs_retain:  # a forget batch meets a retain batch of its own modality
        kept = curriculum(*retain_people(ratio))
        retain = {modality: kept.stream(modality, size, retain_rng) for modality in method.modalities}
    losses = fit(
        adapter.model,
        progress(batches, f"{config['model']} {config['method']} {ratio}%", steps),
        lambda item: method.loss(adapter.model, item[1], next(retain[item[0]]) if retain else None, reference),
        Optimisation(method.learning_rate, steps, schedule="linear"),
    )
    return adapter, losses


def main(options, config) -> str:
    """Unlearn and save the checkpoint --out."""
    method = create_method(config["method"], config["settings"] | chosen_settings(options.choice))
    adapter, losses = unlearned(config, method, options.benchmark, options.vanilla, options.ratio)
    adapter.save(options.out)
    return f"{options.out}: {len(losses)} steps, loss {losses[0]:.3f} -> {losses[-1]:.3f}"


if __name__ == "__main__":
    run(main, parser())
