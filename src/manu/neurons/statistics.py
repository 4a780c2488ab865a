"""The sums from which every importance function is computed: streaming, float64, one pass."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from manu.core.errors import NotFinite, UserError
from manu.neurons.tensor_file import check_keys, load_tensors, save_tensors

SETS = ("forget", "retain")
MODALITIES = ("multimodal", "text")
POOLINGS = ("mean", "last", "max")
CONTENT = "modality statistics"
ALL = 0  # as a number of samples: all that were measured


@dataclass
class Sums:
    """Running sums over the samples d of one set and modality; tensors are float64 [width].

    count: number of samples; sum_abs: sum of |z(d)|; sum: sum of z(d); sum_sq: sum of z(d)^2;
    count_over: number of samples with |z(d)| > tau. A silent sample (z = 0) only counts.
    """

    count: int
    sum_abs: Tensor
    sum: Tensor
    sum_sq: Tensor
    count_over: Tensor

    TENSORS = ("sum_abs", "sum", "sum_sq", "count_over")

    @classmethod
    def zeros(cls, width: int) -> "Sums":
        return cls(0, *(torch.zeros(width, dtype=torch.float64) for _ in cls.TENSORS))

    def add(self, z: Tensor, tau: float) -> None:
        """Add the samples `z`, float64 [samples, width]."""
        magnitude = z.abs()
        self.count += len(z)
        self.sum_abs = self.sum_abs.to(z.device) + magnitude.sum(0)
        self.sum = self.sum.to(z.device) + z.sum(0)
        self.sum_sq = self.sum_sq.to(z.device) + z.square().sum(0)
        self.count_over = self.count_over.to(z.device) + (magnitude > tau).sum(0, dtype=torch.float64)


def pool_tokens(z: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
    """One value z(d) per sample and neuron, for each way to pool the tokens of a sample.

    z: [batch, tokens, width]; mask: bool [batch, tokens], true at real tokens, None = all real.
    Returns float64 [batch, width] for "mean" (mean of |z| over real tokens), "last" (z, with
    its sign, at the last real token) and "max" (largest |z| over real tokens). The paper does
    not say which one it uses (docs/deviations.md#pooling). Raises ValueError on a sample
    without a real token.
    """
    magnitude = z.abs()
    if mask is None:
        tokens, last = z.shape[1], z[:, -1]
    else:
        mask = mask.to(z.device, torch.bool)
        tokens = mask.sum(1, dtype=torch.float64)[:, None]
        if (tokens == 0).any():
            raise ValueError("a sample has no real token")
        magnitude.masked_fill_(~mask[..., None], 0)
        place = (mask * torch.arange(1, z.shape[1] + 1, device=z.device)).argmax(1)  # either padding side
        last = z[torch.arange(len(z), device=z.device), place]
    return {
        "mean": magnitude.sum(1, dtype=torch.float64) / tokens,
        "last": last.double(),
        "max": magnitude.amax(1).double(),
    }


class RunningStatistics:
    """`Sums` for every (set, modality, pooling, site), whatever the number of samples.

    widths: number of neurons of each site, by site name, in the order of the model; tau: threshold of the activation
    count, in units of the activation; milestones: numbers of samples at which the sums so far are kept as well, so
    that one pass shows what fewer samples would have said.
    """

    def __init__(self, widths: Mapping[str, int], tau: float, milestones: Sequence[int] = ()):
        self.widths = dict(widths)
        self.tau = float(tau)
        self.milestones = tuple(milestones)
        self._sums = {
            (data_set, modality, pooling, site, limit): Sums.zeros(width)
            for data_set, modality, pooling in product(SETS, MODALITIES, POOLINGS)
            for site, width in self.widths.items()
            for limit in (ALL, *self.milestones)
        }

    def update(self, data_set: str, modality: str, site: str, z: Tensor, mask: Tensor | None = None) -> None:
        """Add a batch of activations z [batch, tokens, width]; mask as in `pool_tokens`. Raises NotFinite."""
        self.add(data_set, modality, site, pool_tokens(z, mask))

    def add(self, data_set: str, modality: str, site: str, poolings: Mapping[str, Tensor]) -> None:
        """Add what `pool_tokens` gives for a batch. Raises NotFinite."""
        if not poolings["mean"].isfinite().all():
            first = self._sums[data_set, modality, "mean", site, ALL].count + 1
            last = first + len(poolings["mean"]) - 1
            where = f"{site}: among samples {first} to {last} of the {data_set} set, {modality},"
            raise NotFinite(f"{where} an activation is infinite or not a number")
        for pooling, pooled in poolings.items():
            for sums, room in self._open(data_set, modality, pooling, site, len(pooled)):
                sums.add(pooled[:room], self.tau)

    def add_silent(self, data_set: str, modality: str, site: str, samples: int) -> None:
        """Count samples that never passed through the site: z = 0 (vision on text-only input)."""
        for pooling in POOLINGS:
            for sums, room in self._open(data_set, modality, pooling, site, samples):
                sums.count += room

    def _open(self, data_set: str, modality: str, pooling: str, site: str, samples: int) -> Iterator[tuple[Sums, int]]:
        """The sums that take new samples, and how many of them."""
        yield self._sums[data_set, modality, pooling, site, ALL], samples
        for limit in self.milestones:
            sums = self._sums[data_set, modality, pooling, site, limit]
            if room := min(samples, limit - sums.count):
                yield sums, room

    def sums(self, data_set: str, modality: str, pooling: str, site: str, samples: int = ALL) -> Sums:
        """The sums of one site, over all samples or over the first so many.

        Raises ValueError when no sample was measured, UserError when there were fewer than `samples` or no milestone.
        """
        if samples != ALL and samples not in self.milestones:
            raise UserError(f"samples: the statistics have no sums of the first {samples}; they have {self.milestones}")
        sums = self._sums[data_set, modality, pooling, site, samples]
        if sums.count == 0:
            raise ValueError(f"no {modality} sample of the {data_set} set was measured at {site}")
        if sums.count < samples:
            raise UserError(f"samples: {samples} asked for, but only {sums.count} of the {data_set} set were measured")
        return sums

    def samples(self, data_set: str, modality: str) -> int:
        """Number of samples measured of one set and modality."""
        return self._sums[data_set, modality, POOLINGS[0], next(iter(self.widths)), ALL].count

    def save(self, path: str | os.PathLike) -> None:
        """Write one safetensors file with keys "{set}/{modality}/{pooling}/{site}/{limit}/{stat}", limit 0 = all."""
        tensors = {}
        for key, sums in self._sums.items():
            tensors[_name(key, "count")] = torch.tensor(sums.count, dtype=torch.int64)
            tensors |= {_name(key, stat): getattr(sums, stat) for stat in Sums.TENSORS}
        samples = {f"{group[0]}/{group[1]}": self.samples(*group) for group in product(SETS, MODALITIES)}
        metadata = {"content": CONTENT, "tau": self.tau, "widths": list(self.widths.items()), "samples": samples}
        save_tensors(path, tensors, metadata | {"milestones": list(self.milestones)})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "RunningStatistics":
        """Read what `save` wrote. Raises UserError on a missing, surplus or misshapen entry."""
        tensors, metadata = load_tensors(path, CONTENT)
        for entry in ("tau", "widths", "milestones"):
            if entry not in metadata:
                raise UserError(f"{path}: misses {entry!r} in its metadata")
        statistics = cls(dict(metadata["widths"]), metadata["tau"], metadata["milestones"])
        shapes = {}
        for key in statistics._sums:
            shapes[_name(key, "count")] = ()
            shapes |= {_name(key, stat): (statistics.widths[key[3]],) for stat in Sums.TENSORS}
        check_keys(path, tensors, shapes)
        for key in statistics._sums:
            count = int(tensors[_name(key, "count")])
            statistics._sums[key] = Sums(count, *(tensors[_name(key, stat)] for stat in Sums.TENSORS))
        return statistics


def _name(key: tuple, stat: str) -> str:
    return "/".join((*map(str, key), stat))
