"""The measuring passes: run the model over batches and let statistics listen."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from manu.neurons.activations import Site, record_activations, record_gradients
from manu.neurons.released import (
    METRICS,
    MODALITY_OF_PART,
    ReleasedAccumulator,
    ReleasedStatistics,
    group_of,
)
from manu.neurons.sensitivity import GradientStatistics
from manu.neurons.sites import LinearSite, MlpSite
from manu.neurons.statistics import SETS, RunningStatistics

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
                mask = batch["attention_mask"].bool()
                masks = {"language": mask, "vision": vision_mask(batch)}
                reached = set()

                def listen(site: Site, z: Tensor) -> None:
                    if len(z) != len(mask) or site.name in reached:
                        raise ValueError(f"{site.name}: needed one pass with {len(mask)} rows, one per sample")
                    reached.add(site.name)
                    statistics.update(data_set, modality, site.name, z, masks[site.part])

                _forward(model, sites, listen, batch)
                for site in sites:
                    if site.name not in reached:
                        statistics.add_silent(data_set, modality, site.name, len(mask))
    return statistics


def measure_gradients(
    model: PreTrainedModel, sites: Sequence[MlpSite], batches: BatchGroups, loss: Callable[[nn.Module, Batch], Tensor]
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
                samples, reached = len(batch["input_ids"]), set()

                def listen(site: Site, z: Tensor, gradient: Tensor) -> None:
                    if len(z) != samples or site.name in reached:
                        raise ValueError(f"{site.name}: needed one pass with {samples} rows, one per sample")
                    reached.add(site.name)
                    statistics.update(data_set, modality, site.name, z, gradient)

                pixels = {k: v.clone().requires_grad_() for k, v in batch.items() if v.is_floating_point()}
                with record_gradients(sites, listen):
                    loss(model, {**batch, **pixels}).backward()
                for site in sites:
                    if site.name not in reached:
                        statistics.add_silent(data_set, modality, site.name, samples)
    return statistics


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
                    _forward(model, heard, lambda site, outputs: accumulator.update(site.name, outputs), batch)
                    accumulator.end_batch()
            values |= {(data_set, *key): value for key, value in accumulator.result().items()}
            for group in dict.fromkeys(map(group_of, widths)):
                if (data_set, group, METRICS[0]) not in values:
                    raise ValueError(f"no sample of the {data_set} set passed through {group}")
    return ReleasedStatistics(widths, values)


def _forward(model: nn.Module, sites: Sequence[Site], listen, batch: Batch) -> None:
    with record_activations(sites, listen):
        model(**{name: tensor for name, tensor in batch.items() if name != "labels"})  # no loss is needed


@contextmanager
def _differentiating(model: PreTrainedModel) -> Iterator[None]:
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
