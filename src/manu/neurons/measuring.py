"""The pass over the batches that all kinds of statistics share: run the model and let the statistics listen.

A batch that does not fit into memory is measured in halves (manu.core.memory). The parts are added when the whole batch
has been heard, so the sums differ from those of the undivided batch by rounding alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from manu.core.batch import Batch, samples_of, without_labels
from manu.core.memory import in_parts
from manu.neurons.activations import record_activations, record_gradients
from manu.neurons.sites import Site
from manu.neurons.statistics.base import Activation, Statistics

if TYPE_CHECKING:
    from transformers import PreTrainedModel

AnyStatistics = TypeVar("AnyStatistics", bound=Statistics)
BatchGroups = Mapping[tuple[str, str], Iterable[Batch]]
"""Batches by (set, modality), for example ("forget", "text"); an iterable may show a progress bar."""
Loss = Callable[[nn.Module, Batch], Tensor]


def measure(
    statistics: AnyStatistics,
    model: "PreTrainedModel",
    sites: Sequence[Site],
    batches: BatchGroups,
    *,
    vision_mask: Callable[[Batch], Tensor | None] = lambda batch: None,
    loss: Loss | None = None,
) -> AnyStatistics:
    """Run the model once over every batch, add what the statistics hear at the sites, and return them.

    vision_mask: the real vision tokens of a batch, bool [batch, vision tokens], None for all. loss: for statistics of
    gradients, the sum of the losses of a batch's samples. Of the weights only the input embeddings are differentiated,
    and their gradient is dropped. Afterwards the model has its former mode and no hooks. Raises what the kind raises,
    ValueError where an activation has other rows than samples.
    """
    mode = _differentiating(model) if statistics.gradients else _evaluating(model)
    with mode:
        for data_set, modality in statistics.groups:
            listening = [site for site in sites if statistics.listens(site, modality)]
            for batch in batches.get((data_set, modality), ()):
                heard = _heard_in_parts(statistics, model, listening, batch, vision_mask, loss)
                statistics.add(data_set, modality, heard, samples_of(batch))
    statistics.finish()
    gathered = {key: tensor.cpu() for key, tensor in statistics.stored().items()}  # from wherever the layers lie
    statistics.restore(gathered)
    return statistics


def _heard_in_parts(
    statistics: Statistics,
    model: nn.Module,
    sites: Sequence[Site],
    batch: Batch,
    vision_mask: Callable[[Batch], Tensor | None],
    loss: Loss | None,
) -> list[dict[str, Any]]:
    """What the statistics keep of a batch, or of each of its parts where memory does not suffice for the whole."""

    samples = range(samples_of(batch))

    def run(rows: Sequence[int]) -> dict[str, Any]:
        whole = len(rows) == len(samples)
        part = batch if whole else {name: tensor[rows[0] : rows[-1] + 1] for name, tensor in batch.items()}
        return _heard(statistics, model, sites, part, vision_mask(part), loss)

    return in_parts(run, samples)


def _heard(
    statistics: Statistics,
    model: nn.Module,
    sites: Sequence[Site],
    batch: Batch,
    vision_mask: Tensor | None,
    loss: Loss | None,
) -> dict[str, Any]:
    """What the statistics keep of one forward pass, and of the backward pass if they need gradients."""
    real = {"language": batch["attention_mask"].bool(), "vision": vision_mask}
    heard: dict[str, Any] = {}
    samples = samples_of(batch)

    def listen(site: Site, z: Tensor, gradient: Tensor | None = None) -> None:
        statistics.keep(Activation(site, z, samples, real[site.part], gradient), heard)

    if not statistics.gradients:
        with record_activations(sites, listen):
            model(**without_labels(batch))
        return heard
    if loss is None:
        raise ValueError(f"{statistics.name} statistics need a loss to differentiate")
    pixels = {name: each.clone().requires_grad_() for name, each in batch.items() if each.is_floating_point()}
    with record_gradients(sites, listen):
        loss(model, {**batch, **pixels}).backward()
    return heard


@contextmanager
def _differentiating(model: "PreTrainedModel") -> Iterator[None]:
    """Evaluation mode; gradients flow through all layers, and only the input embeddings collect one."""
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
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients; the model's mode is restored afterwards."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)
