"""Unlearning a forget set with any method, in memory: prune, train, or write a system prompt."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from manu.core.progress import progress
from manu.models.base import VisionLanguageModel
from manu.neurons.masks import Mask, apply_mask, free_weights
from manu.training.loop import Optimisation, fit
from manu.training.lora import released_lora
from manu.unlearning.anchor import anchor_batches, anchor_loss, anchor_records, anchored
from manu.unlearning.base import VANILLA, Batches, PromptingMethod, TrainingMethod
from manu.unlearning.registry import Method
from manu.unlearning.system_prompt import system_prompt
from manu.unlearning.training_data import UnlearningData


def unlearned(
    config: dict,
    method: TrainingMethod,
    vlm: VisionLanguageModel,
    benchmark: Path,
    ratio: int,
    pruned: Sequence[Mask] = (),
    earlier: Sequence[str] = (),
    reference: nn.Module | None = None,
) -> list[float]:
    """Train the model with the method at a forget ratio, in place, and return the loss of each step.

    config: the job's model, seed, method and, if it has one, lora. pruned: the masks that hold during the training; the
    last one is applied here, the others before. earlier: configurations of people who were forgotten before; they are
    neither forgotten again nor retained. reference: for a method that compares with another model than this one is now.
    Raises Diverged.
    """
    compares = method.needs_reference and reference is None
    if compares and method.reference_model != VANILLA:
        raise ValueError(f"{config['method']} compares with the model {method.reference_model}, which is not given")
    start = deepcopy(vlm.model).requires_grad_(False) if compares or method.anchor else vlm.model
    reference = start if compares else reference
    anchor = anchor_records(vlm, benchmark) if method.anchor else []
    data = UnlearningData(vlm, method, benchmark, ratio, earlier)
    apart = np.random.default_rng([config["seed"], 1])  # `restrict` does not shift the draws of the training
    masks = method.restrict(vlm.model, vlm.mlp_sites(), data.epochs(1, apart))
    sites = vlm.mlp_sites(), vlm.linear_sites()
    if pruned:
        apply_mask(pruned[-1], *sites)
    for mask in pruned:
        free = free_weights(vlm.model, mask, *sites)
        masks = free if masks is None else {name: allowed & free[name] for name, allowed in masks.items()}
    steps = method.epochs * data.batches_per_epoch
    batches = data.epochs(method.epochs, np.random.default_rng(config["seed"]))
    if method.anchor:
        rng = np.random.default_rng([config["seed"], 2])
        batches = anchored(batches, anchor_batches(vlm, anchor, method.batch_size, rng))

    def loss(batches: Batches) -> Tensor:
        value = method.loss(vlm.model, batches, reference)
        return value + method.anchor * anchor_loss(vlm.model, start, batches.anchor) if method.anchor else value

    losses = fit(
        vlm.model,
        progress(batches, f"{config['model']} {config['method']} {ratio}%", steps),
        loss,
        Optimisation(method.learning_rate, steps, schedule="constant" if method.alternates else "linear"),
        masks,
        released_lora(config, vlm),
    )
    method.finish(vlm.model, reference)
    for mask in pruned:
        if mask.factor == 0:  # `finish` edits all weights and may have brought a pruned unit back
            apply_mask(mask, *sites)
    return losses


def forget(
    config: dict,
    method: Method,
    vlm: VisionLanguageModel,
    benchmark: Path,
    ratio: int,
    pruned: Sequence[Mask] = (),
    earlier: Sequence[str] = (),
    reference: nn.Module | None = None,
) -> str | None:
    """Unlearn the people of a ratio with a method of any kind, in place, and return the system prompt if it has one.

    Arguments as for `unlearned`; a system prompt names the people of `earlier`, too.
    """
    if isinstance(method, PromptingMethod):
        return system_prompt(method, benchmark, ratio)
    if isinstance(method, TrainingMethod):
        unlearned(config, method, vlm, benchmark, ratio, pruned, earlier, reference)
    else:
        apply_mask(pruned[-1], vlm.mlp_sites(), vlm.linear_sites())
    return None
