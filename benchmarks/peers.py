"""Statistics as in other implementations: all activations are stored, and the statistics are computed afterwards.

The results equal those of `manu.neurons`; a test compares them. With `loop`, the neurons are computed one by one in a
Python loop.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from manu.core.batch import Batch, without_labels
from manu.neurons.activations import Site, record_activations
from manu.neurons.measuring import BatchGroups
from manu.neurons.pooling import POOLINGS, pool_tokens
from manu.neurons.sites import LinearSite, MlpSite
from manu.neurons.statistics.modality import Sums
from manu.neurons.statistics.released import ACTIVE, BATCHES_PER_CHUNK, CLAMP, MODALITY_OF_PART, group_of

Stored = list[Tensor]  # activations [batch, tokens, width], batch by batch


@torch.inference_mode()
def stored_modality(
    model: nn.Module,
    sites: Sequence[MlpSite],
    batches: BatchGroups,
    tau: float,
    vision_mask: Callable[[Batch], Tensor | None],
    loop: bool,
) -> dict[tuple[str, str, str, str], Sums]:
    """The sums of `ModalityStatistics` by (set, modality, pooling, site), for the sites that have activations."""
    kept: dict[tuple[str, str, str], Stored] = {}
    masks: dict[tuple[str, str, str], list[Tensor | None]] = {}
    for (data_set, modality), batch in _pairs(batches):
        mask = {"language": batch["attention_mask"].bool(), "vision": vision_mask(batch)}
        for site, z in _activations(model, sites, batch):
            kept.setdefault((data_set, modality, site.name), []).append(z)
            masks.setdefault((data_set, modality, site.name), []).append(mask[site.part])

    sums: dict[tuple[str, str, str, str], list[Sums]] = {}
    for (data_set, modality, name), activations in kept.items():
        real = masks[data_set, modality, name]
        for part in _neurons(activations, loop):
            pooled = [pool_tokens(z, tokens) for z, tokens in zip(part, real, strict=True)]
            for pooling in POOLINGS:
                z = torch.cat([values[pooling] for values in pooled])
                sums.setdefault((data_set, modality, pooling, name), []).append(_sums(z, tau))
    return {key: _joined(parts) for key, parts in sums.items()}


@torch.inference_mode()
def stored_released(
    model: nn.Module, sites: Sequence[LinearSite], batches: BatchGroups, loop: bool
) -> dict[tuple[str, str, str], Tensor]:
    """The values of `ReleasedStatistics` by (set, group, metric): float64 [rows]."""
    kept: dict[tuple[str, str], list[list[Tensor]]] = {}
    for (data_set, modality), batch in _pairs(batches):
        by_group: dict[str, list[Tensor]] = {}
        for site, z in _activations(model, [site for site in sites if MODALITY_OF_PART[site.part] == modality], batch):
            by_group.setdefault(group_of(site.name), []).append(z)
        for group, layers in by_group.items():
            kept.setdefault((data_set, group), []).append(layers)

    metrics: dict[tuple[str, str, str], list[Tensor]] = {}
    for (data_set, group), passes in kept.items():
        outputs = [torch.cat(layers) for layers in passes]
        for part in _neurons(outputs, loop):
            for metric, values in _released_metrics(part).items():
                metrics.setdefault((data_set, group, metric), []).append(values)
    return {key: torch.cat(parts) for key, parts in metrics.items()}


def _released_metrics(outputs: Stored) -> dict[str, Tensor]:
    """Metrics of every batch, averaged over chunks of ten batches and then over the chunks, as in the released code."""
    by_metric: dict[str, list[Tensor]] = {}
    for z in outputs:
        a = z.double().clamp(-CLAMP, CLAMP)
        metrics = {
            "abs": a.abs().mean(0),
            "freq": (a.abs() > ACTIVE).double().mean(0),
            "var": a.std(0) if len(a) > 1 else torch.zeros_like(a[0]),
            "rms": a.square().mean(0).sqrt(),
        }
        for metric, values in metrics.items():
            by_metric.setdefault(metric, []).append(values)
    means = {}
    for metric, batches in by_metric.items():
        chunks = [batches[k : k + BATCHES_PER_CHUNK] for k in range(0, len(batches), BATCHES_PER_CHUNK)]
        means[metric] = torch.stack([torch.cat(chunk).mean(0) for chunk in chunks]).mean(0)
    return means


def _neurons(activations: Stored, loop: bool) -> Iterator[Stored]:
    """The activations of all neurons at once, or with `loop` of one neuron after the other."""
    if not loop:
        yield activations
        return
    for neuron in range(activations[0].shape[-1]):
        yield [z[..., neuron : neuron + 1] for z in activations]


def _pairs(batches: BatchGroups) -> Iterator[tuple[tuple[str, str], Batch]]:
    """((set, modality), batch) for all batches."""
    for key, group in batches.items():
        for batch in group:
            yield key, batch


def _activations(model: nn.Module, sites: Sequence[Site], batch: Batch) -> list[tuple[Site, Tensor]]:
    """(site, copy of its activations) in one forward pass."""
    recorded: list[tuple[Site, Tensor]] = []
    with record_activations(sites, lambda site, z: recorded.append((site, z.clone()))):
        model(**without_labels(batch))
    return recorded


def _sums(z: Tensor, tau: float) -> Sums:
    return Sums.of(z, tau)


def _joined(parts: list[Sums]) -> Sums:
    return Sums(parts[0].count, *(torch.cat([getattr(part, name) for part in parts]) for name in Sums.TENSORS))
