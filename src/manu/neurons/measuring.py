"""The measuring passes: run the model over batches and let statistics listen.

A batch for which memory does not suffice is measured in halves (manu.core.memory). What a half says is added up only
when the whole batch has been heard; sums differ from those of the batch at once by rounding alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from manu.core.memory import in_parts
from manu.neurons.activations import Site, record_activations, record_gradients
from manu.neurons.released import (
    METRICS,
    MODALITY_OF_PART,
    ReleasedAccumulator,
    ReleasedStatistics,
    group_of,
)
from manu.neurons.sensitivity import GradientStatistics, effects_of
from manu.neurons.sites import LinearSite, MlpSite
from manu.neurons.statistics import SETS, RunningStatistics, pool_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Result = TypeVar("Result")
Batch = Mapping[str, Tensor]
BatchGroups = Mapping[tuple[str, str], Iterable[Batch]]
"""Batches by (set, modality), for example ("forget", "text"); wrap an iterable for a progress bar."""


def measure_modality(
    model: nn.Module,
    sites: Sequence[MlpSite],
    batches: BatchGroups,
    tau: float,
    milestones: Sequence[int] = (),
    vision_mask: Callable[[Batch], Tensor | None] = lambda batch: None,
) -> RunningStatistics:
    """One pass over every batch; the published statistics at every MLP site, with the sums at each milestone.

    Padding never counts; vision_mask: which vision tokens of a batch are real, bool [batch, vision tokens], None for
    all. Samples that do not pass through a site count there as z = 0. Raises ValueError when an activation does
    not have one row per sample of the batch.
    """
    statistics = RunningStatistics({site.name: site.width for site in sites}, tau, milestones)
    with _measuring(model):
        for (data_set, modality), group in batches.items():
            for batch in group:
                parts = _parts(batch, lambda part: _pooled(model, sites, part, vision_mask(part)))
                for site in sites:
                    if site.name not in parts[0]:
                        statistics.add_silent(data_set, modality, site.name, _samples(batch))
                        continue
                    heard = [part[site.name] for part in parts]
                    pooled = {name: _joined([each[name] for each in heard]) for name in heard[0]}
                    statistics.add(data_set, modality, site.name, pooled)
    return statistics


def _pooled(
    model: nn.Module, sites: Sequence[MlpSite], batch: Batch, vision_mask: Tensor | None
) -> dict[str, dict[str, Tensor]]:
    """Site -> what `pool_tokens` gives for its activations in one forward pass; without those not reached."""
    mask = batch["attention_mask"].bool()
    masks, heard = {"language": mask, "vision": vision_mask}, {}

    def listen(site: Site, z: Tensor) -> None:
        _must_be_new(site, z, mask, heard)
        heard[site.name] = pool_tokens(z, masks[site.part])

    _forward(model, sites, listen, batch)
    return heard


def measure_gradients(
    model: "PreTrainedModel", sites: Sequence[MlpSite], batches: BatchGroups, loss: Callable[[nn.Module, Batch], Tensor]
) -> GradientStatistics:
    """One forward and one backward pass over every batch; how the loss hangs on every neuron.

    loss: the sum over the samples of a batch of each one's own loss. Of the weights only the input embeddings take
    part in the differentiation, and their gradient is dropped. Samples that do not pass through a site count there
    as 0. Raises ValueError when a gradient does not have one row per sample of the batch.
    """
    statistics = GradientStatistics({site.name: site.width for site in sites})
    with _differentiating(model):
        for (data_set, modality), group in batches.items():
            for batch in group:
                parts = _parts(batch, lambda part: _effects(model, sites, part, loss))
                for site in sites:
                    if site.name not in parts[0]:
                        statistics.add_silent(data_set, modality, site.name, _samples(batch))
                        continue
                    statistics.add(data_set, modality, site.name, _joined([part[site.name] for part in parts]))
    return statistics


def _effects(
    model: "PreTrainedModel", sites: Sequence[MlpSite], batch: Batch, loss: Callable[[nn.Module, Batch], Tensor]
) -> dict[str, Tensor]:
    """Site -> what `effects_of` gives for one forward and backward pass; without those not reached."""
    heard: dict[str, Tensor] = {}

    def listen(site: Site, z: Tensor, gradient: Tensor) -> None:
        _must_be_new(site, z, batch["input_ids"], heard)
        heard[site.name] = effects_of(z, gradient)

    pixels = {k: v.clone().requires_grad_() for k, v in batch.items() if v.is_floating_point()}
    with record_gradients(sites, listen):
        loss(model, {**batch, **pixels}).backward()
    return heard


def measure_released(model: nn.Module, sites: Sequence[LinearSite], batches: BatchGroups) -> ReleasedStatistics:
    """The released code's statistics: vision sites from multimodal batches, language sites from text batches.

    Raises ValueError when a group of sites was not reached.
    """
    widths = {site.name: site.width for site in sites}
    values = {}
    with _measuring(model):
        for data_set in SETS:
            accumulator = ReleasedAccumulator()
            for part, modality in MODALITY_OF_PART.items():
                heard = [site for site in sites if site.part == part]
                for batch in batches.get((data_set, modality), ()):
                    for part_of_batch in _parts(batch, lambda each: _moments(model, heard, each)):
                        accumulator.merge(part_of_batch)
                    accumulator.end_batch()
            values |= {(data_set, *key): value for key, value in accumulator.result().items()}
            for group in dict.fromkeys(map(group_of, widths)):
                if (data_set, group, METRICS[0]) not in values:
                    raise ValueError(f"no sample of the {data_set} set passed through {group}")
    return ReleasedStatistics(widths, values)


def _moments(model: nn.Module, sites: Sequence[LinearSite], batch: Batch) -> ReleasedAccumulator:
    """What one forward pass says, its batch not ended."""
    accumulator = ReleasedAccumulator()
    _forward(model, sites, lambda site, outputs: accumulator.update(site.name, outputs), batch)
    return accumulator


def _parts(batch: Batch, run: Callable[[Batch], Result]) -> list[Result]:
    """The result of `run` for a batch, or those for its halves, and so on, where memory does not suffice."""
    samples = range(_samples(batch))

    def some(rows: range) -> Result:
        part = batch if rows == samples else {name: each[rows.start : rows.stop] for name, each in batch.items()}
        return run(part)

    return in_parts(some, samples)


def _samples(batch: Batch) -> int:
    return len(batch["input_ids"])


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _must_be_new(site: Site, z: Tensor, rows: Tensor, heard: Mapping[str, object]) -> None:
    if len(z) != len(rows) or site.name in heard:
        raise ValueError(f"{site.name}: needed one pass with {len(rows)} rows, one per sample")


def _forward(model: nn.Module, sites: Sequence[Site], listen, batch: Batch) -> None:
    with record_activations(sites, listen):
        model(**{name: tensor for name, tensor in batch.items() if name != "labels"})  # no loss is needed


@contextmanager
def _differentiating(model: "PreTrainedModel") -> Iterator[None]:
    """Evaluation mode, and gradients that flow through all layers but gather in the input embeddings alone."""
    training, wanted = model.training, {parameter: parameter.requires_grad for parameter in model.parameters()}
    embeddings = model.get_input_embeddings().weight
    model.eval().requires_grad_(False)
    embeddings.requires_grad_(True)
    try:
        yield
    finally:
        embeddings.grad = None
        for parameter, want in wanted.items():
            parameter.requires_grad_(want)
        model.train(training)


@contextmanager
def _measuring(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients; the model's mode comes back afterwards."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)
