"""Rule unlearn: a training method's gradient steps on the forget set, from the vanilla model.

A training that diverges is a result: its checkpoint is marked, and the study goes on without its answers.
"""

import logging
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np

from manu.core import diverged as divergence
from manu.data.profiles import TEXT, forget_config, retain_people
from manu.data.reading import read_names, read_training_data_of
from manu.models.base import VisionLanguageModel
from manu.models.inputs import Batch, with_answer
from manu.neurons.masks import Mask, apply_mask, free_weights
from manu.steps.command import StageParser, progress, run
from manu.steps.models import load_model, released_lora
from manu.steps.select_neurons import pruned_by
from manu.training.dataset import TrainingSet
from manu.training.loop import Diverged, Optimisation, fit
from manu.unlearning.base import Batches, TrainingMethod
from manu.unlearning.choice import chosen_settings
from manu.unlearning.registry import create_method

log = logging.getLogger(__name__)


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True)
    options.read("benchmark")
    options.read("vanilla")
    options.read("statistics", required=False, help="of the forget ratio, for a method that begins with pruning")
    options.read("choice", required=False, help="the tuned settings (choice.json)")
    options.write("out")
    options.add_argument("--ratio", type=int, required=True, help="forget ratio in percent")
    return options


class Material:
    """What a method learns from: the forget set, and the companions of its batches that the method needs.

    earlier: configurations of people who are in none of them.
    """

    def __init__(
        self, vlm: VisionLanguageModel, method: TrainingMethod, benchmark: Path, ratio: int, earlier: Sequence[str] = ()
    ) -> None:
        def training_set(modalities: tuple[str, ...], *people: str) -> TrainingSet:
            lessons, names = (read(benchmark, *people, without=earlier) for read in (read_training_data_of, read_names))
            return TrainingSet(vlm, modalities).add(lessons, names)

        forget, retain = forget_config(ratio), retain_people(ratio)
        self._adapter, self._size = vlm, method.batch_size
        self._forget = training_set(method.modalities, forget)
        self._retain = training_set(method.modalities, *retain) if method.needs_retain else None
        self._knowledge = training_set((TEXT,), forget, *retain) if method.needs_knowledge else None
        self._refusal = vlm.answer_ids(method.refusal) if method.needs_refusal else None
        self.batches_per_epoch = self._forget.batches_per_epoch(self._size)

    def epochs(self, count: int, rng: np.random.Generator) -> Iterator[Batches]:
        """Passes over the forget set; a forget batch meets a retain batch of its own modality."""
        forget_rng, retain_rng, knowledge_rng = rng.spawn(3)
        retain = self._streams(self._retain, retain_rng)
        knowledge = self._streams(self._knowledge, knowledge_rng)
        for _ in range(count):
            for modality, batch in self._forget.epoch(self._size, forget_rng):
                yield Batches(
                    forget=batch,
                    retain=next(retain[modality]) if retain else None,
                    refusal=with_answer(self._adapter, batch, self._refusal) if self._refusal else None,
                    knowledge=next(knowledge[TEXT]) if knowledge else None,
                )

    def _streams(self, training_set: TrainingSet | None, rng: np.random.Generator) -> dict[str, Iterator[Batch]]:
        return {m: training_set.stream(m, self._size, rng) for m in training_set.modalities} if training_set else {}


def unlearned(
    config: dict,
    method: TrainingMethod,
    vlm: VisionLanguageModel,
    benchmark: Path,
    ratio: int,
    pruned: Sequence[Mask] = (),
    earlier: Sequence[str] = (),
) -> list[float]:
    """Take the method's steps at a forget ratio, in place, and return the loss of each step.

    config: model, seed, method and, if it has one, lora, of the job; pruned: for a method that begins with pruning, its
    mask, after those that the model has had before; what they prune is held in all steps. earlier: configurations of
    people who were forgotten before, and are neither forgotten again nor retained.
    """
    reference = deepcopy(vlm.model).requires_grad_(False) if method.needs_reference else None
    material = Material(vlm, method, benchmark, ratio, earlier)
    apart = np.random.default_rng([config["seed"], 1])  # what restricts does not shift the training's draws
    masks = method.restrict(vlm.model, vlm.mlp_sites(), material.epochs(1, apart))
    sites = vlm.mlp_sites(), vlm.linear_sites()
    if pruned:
        apply_mask(pruned[-1], *sites)
    for mask in pruned:
        free = free_weights(vlm.model, mask, *sites)
        masks = free if masks is None else {name: each & free[name] for name, each in masks.items()}
    steps = method.epochs * material.batches_per_epoch
    batches = material.epochs(method.epochs, np.random.default_rng(config["seed"]))
    losses = fit(
        vlm.model,
        progress(batches, f"{config['model']} {config['method']} {ratio}%", steps),
        lambda batches: method.loss(vlm.model, batches, reference),
        Optimisation(method.learning_rate, steps, schedule="linear"),
        masks,
        released_lora(config, vlm),
    )
    method.finish(vlm.model, reference)
    for mask in pruned:
        if mask.factor == 0:  # an edit of all weights may have brought something back
            apply_mask(mask, *sites)
    return losses


def main(options, config) -> str:
    """Unlearn and save the checkpoint --out."""
    method = create_method(config["method"], config["settings"] | chosen_settings(options.choice))
    vlm, pruned = load_model(config, options.vanilla), pruned_by(method, options.statistics)
    try:
        losses = unlearned(config, method, vlm, options.benchmark, options.ratio, pruned)
    except Diverged as error:
        log.warning("%s on %s at %d percent diverged: %s", config["method"], config["model"], options.ratio, error)
        vlm.save(options.out)
        divergence.mark(options.out, str(error))
        return f"{options.out}: diverged, {error}"
    vlm.save(options.out)
    return f"{options.out}: {len(losses)} steps, loss {losses[0]:.3f} -> {losses[-1]:.3f}"


if __name__ == "__main__":
    run(main, parser())
