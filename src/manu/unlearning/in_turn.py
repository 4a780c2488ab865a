"""Requests to forget, one after another: statistics, selection and training of each."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from manu.data.profiles import forget_config
from manu.models.base import VisionLanguageModel
from manu.models.checkpoint import load_model
from manu.neurons.masks import Mask
from manu.unlearning.measured import measured
from manu.unlearning.pruning import selected
from manu.unlearning.registry import Method
from manu.unlearning.run import forget


def in_turn(
    config: dict, method: Method, vlm: VisionLanguageModel, benchmark: Path, references: Sequence[Path] = ()
) -> Iterator[tuple[int, str | None]]:
    """Fulfil the job's `requests` (forget ratios) on the model, in place; yields the ratio and system prompt of each.

    A request names the people of its forget set whom no earlier request names. A method that prunes measures the model
    as it is then, and what earlier requests pruned stays pruned. references: the checkpoint that the method compares
    with at each request, where that is not the model as it is then.
    """
    pruned: list[Mask] = []
    earlier: list[str] = []
    for ratio, checkpoint in zip_longest(config["requests"], references):
        if method.pruning:
            statistics = measured(config, vlm, benchmark, ratio, method.pruning.statistics, earlier)
            pruned.append(selected(method.pruning, statistics)[1])
        reference = load_model(config, checkpoint).model.requires_grad_(False) if checkpoint else None
        yield ratio, forget(config, method, vlm, benchmark, ratio, pruned, earlier, reference)
        earlier.append(forget_config(ratio))
