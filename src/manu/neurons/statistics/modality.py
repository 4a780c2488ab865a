"""Activation sums by set and modality: the published statistics (Liu et al. 2025, section 3), in float64."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from torch import Tensor

from manu.core.errors import NotFinite, UserError
from manu.core.words import MODALITIES, SETS
from manu.neurons.pooling import POOLINGS, pool_tokens
from manu.neurons.statistics.base import Activation, SampleStatistics

ALL = 0  # as a number of samples: all that were measured


@dataclass(frozen=True)
class Sums:
    """Sums over the samples d of one set and modality at one site; tensors are float64 [width].

    count: number of samples; sum_abs: sum of |z(d)|; sum: sum of z(d); sum_sq: sum of z(d)^2; count_over: number of
    samples with |z(d)| > tau. A silent sample (z = 0) adds to the count alone.
    """

    count: int
    sum_abs: Tensor
    sum: Tensor
    sum_sq: Tensor
    count_over: Tensor

    TENSORS = ("sum_abs", "sum", "sum_sq", "count_over")

    @classmethod
    def of(cls, z: Tensor, tau: float) -> "Sums":
        """The sums of the samples z, float64 [samples, width]."""
        magnitude = z.abs()
        over = (magnitude > tau).sum(0, dtype=z.dtype)
        return cls(len(z), magnitude.sum(0), z.sum(0), z.square().sum(0), over)


class ModalityStatistics(SampleStatistics):
    """`Sums` for every (set, modality, pooling, site), whatever the number of samples.

    tau: threshold of the activation count, in units of the activation; milestones: numbers of samples at which the sums
    so far are kept as well, so that one pass shows what fewer samples would give.
    Keys: "{set}/{modality}/{pooling}/{site}/{limit}/{sum}", limit 0 = all samples.
    """

    name = "modality"
    adds_up = True
    arguments = ("tau", "milestones")

    def __init__(self, widths: Mapping[str, int], tau: float, milestones: Sequence[int] = ()) -> None:
        super().__init__(widths)
        self.tau = float(tau)
        self.milestones = tuple(milestones)
        for group in product(SETS, MODALITIES, POOLINGS):
            for site, width in self.widths.items():
                for limit in (ALL, *self.milestones):
                    self.tensors |= self.zeros(_key(*group, site, limit), width, *Sums.TENSORS)

    @classmethod
    def settings(cls, study: Mapping[str, Any], asked: Mapping[str, Collection[Any]]) -> dict[str, Any]:
        """tau of the study; milestones: the numbers of samples that any method asks for."""
        return {"tau": study["tau"], "milestones": sorted(set(asked.get("samples", ())) - {ALL})}

    def values(self, activation: Activation) -> dict[str, Tensor]:
        """z(d) by pooling, without padding."""
        return pool_tokens(activation.z, activation.real)

    def add_values(self, data_set: str, modality: str, site: str, values: Mapping[str, Tensor]) -> None:
        """Add what `pool_tokens` gives for a batch. Raises NotFinite."""
        if not values["mean"].isfinite().all():
            first = self.count(_key(data_set, modality, "mean", site, ALL)) + 1
            last = first + len(values["mean"]) - 1
            where = f"{site}: among samples {first} to {last} of the {data_set} set, {modality},"
            raise NotFinite(f"{where} an activation is infinite or not a number")
        for pooling, z in values.items():
            for key, room in self._open(data_set, modality, pooling, site, len(z)):
                sums = Sums.of(z[:room], self.tau)
                self.increase(key, sums.count, **{name: getattr(sums, name) for name in Sums.TENSORS})

    def add_silent(self, data_set: str, modality: str, site: str, samples: int) -> None:
        """Count samples with z = 0."""
        for pooling in POOLINGS:
            for key, room in self._open(data_set, modality, pooling, site, samples):
                self.increase(key, room)

    def _open(self, data_set: str, modality: str, pooling: str, site: str, samples: int) -> Iterator[tuple[str, int]]:
        """The keys of the sums that take new samples, and how many of them."""
        yield _key(data_set, modality, pooling, site, ALL), samples
        for limit in self.milestones:
            key = _key(data_set, modality, pooling, site, limit)
            if room := min(samples, -(-limit // self.parts) - self.count(key)):
                yield key, room

    def sums(self, data_set: str, modality: str, pooling: str, site: str, samples: int = ALL) -> Sums:
        """The sums of one site, over all samples or over the first so many.

        Raises ValueError when no sample was measured, UserError when there were fewer than `samples` or no milestone.
        """
        if samples != ALL and samples not in self.milestones:
            raise UserError(f"samples: the statistics have no sums of the first {samples}; they have {self.milestones}")
        key = _key(data_set, modality, pooling, site, samples)
        if (count := self.count(key)) == 0:
            raise ValueError(f"no {modality} sample of the {data_set} set was measured at {site}")
        if count < samples // self.parts:
            raise UserError(f"samples: {samples} asked for, but only {count} of the {data_set} set were measured")
        return Sums(count, *(self.tensors[f"{key}/{name}"] for name in Sums.TENSORS))

    def samples(self, data_set: str, modality: str) -> int:
        """Number of samples measured of one set and modality."""
        return self.count(_key(data_set, modality, POOLINGS[0], next(iter(self.widths)), ALL))

    def metadata(self) -> dict[str, Any]:
        """The arguments, and the number of samples of each set and modality."""
        samples = {f"{data_set}/{modality}": self.samples(data_set, modality) for data_set, modality in self.groups}
        return super().metadata() | {"samples": samples}


def _key(data_set: str, modality: str, pooling: str, site: str, limit: int) -> str:
    return f"{data_set}/{modality}/{pooling}/{site}/{limit}"


STATISTICS = ModalityStatistics
