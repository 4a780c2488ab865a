"""Statistics and score of the code that the authors released: another method than the paper's.

Source: github.com/franciscoliu/MANU, prune/prune_utility.py. docs/deviations.md#released lists the differences from the
paper.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from manu.core.words import MODALITIES, MULTIMODAL, SETS, TEXT
from manu.neurons.selection import LINEAR_OUTPUT
from manu.neurons.sites import Site
from manu.neurons.statistics.base import Activation, Statistics

METRICS = ("abs", "freq", "var", "rms")
WEIGHTS = {"abs": 2.0, "freq": 0.0, "var": 2.0, "rms": 2.0}
MODALITY_OF_PART = {"vision": MULTIMODAL, "language": TEXT}  # no cross-modal term
CLAMP = 1e3
ACTIVE = 0.1
BATCHES_PER_CHUNK = 10
EPS = 1e-5
_ZERO = torch.tensor(0.0, dtype=torch.float64)


def group_of(site: str) -> str:
    """The statistics that a linear layer shares: "language.gate.3" -> "language.gate".

    The released loop registers every layer under the same names, so all layers are pooled.
    """
    return site.rsplit(".", 1)[0]


def released_score(statistics: "ReleasedStatistics", site: str) -> Tensor:
    """Sum over metrics of w * (I_f / (I_r + 1e-5) - 1); float64 [rows], higher = more specific to forget.

    A sum of ratios, not a ratio of sums; the frequency has weight 0. Raises ValueError on a value that is not finite.
    """
    group = group_of(site)
    score = torch.zeros(statistics.widths[site], dtype=torch.float64)
    for metric, weight in WEIGHTS.items():
        forget, retain = (statistics.value(data_set, group, metric) for data_set in SETS)
        score = score + weight * (forget / (retain + EPS) - 1)
    if not score.isfinite().all():
        raise ValueError(f"released score: {int((~score.isfinite()).sum())} rows of {group} are not finite")
    return score


@dataclass
class Moments:
    """Sums over the entries of one forward pass: batch times layers; each tensor [tokens, rows]."""

    entries: int = 0
    sums: tuple[Tensor, ...] = ()

    def add(self, outputs: Tensor) -> None:
        """Add outputs [batch, tokens, rows] of one layer."""
        # Clamped and compared in the model's own precision, as the released code does. Summed in float64 and in place:
        # a copy would take twice the memory of the outputs.
        clamped = outputs.clamp(-CLAMP, CLAMP)
        active = (clamped.abs() > ACTIVE).sum(0, dtype=torch.int32).double()
        a = clamped.double()
        total, magnitude = a.sum(0), a.abs_()
        sum_abs = magnitude.sum(0)
        new = (sum_abs, active, total, magnitude.square_().sum(0))
        self._increase(new)
        self.entries += len(a)

    def merge(self, other: "Moments") -> None:
        """Add the sums of other entries of the same pass."""
        self._increase(other.sums)
        self.entries += other.entries

    def _increase(self, sums: tuple[Tensor, ...]) -> None:
        """Add sums, on the device of the first ones: a model's layers may lie on several."""
        pairs = zip(self.sums, sums, strict=True)
        self.sums = tuple(old + new.to(old.device) for old, new in pairs) if self.sums else sums

    def metrics(self) -> dict[str, Tensor]:
        """The four metrics over the entries: float64 [tokens, rows]."""
        n = self.entries
        sum_abs, active, total, squares = self.sums
        # The sample standard deviation over batch and layers. For a single entry (one layer, a batch of one) torch.std
        # gives NaN, here it is 0.
        spread = ((squares - total.square() / n) / max(n - 1, 1)).clamp_min(0).sqrt()
        return {"abs": sum_abs / n, "freq": active / n, "var": spread, "rms": (squares / n).sqrt()}


@dataclass
class _ChunkedMean:
    """The mean over all positions of ten batches, then the mean of those means; a short last chunk counts in full."""

    chunk: Tensor = _ZERO
    positions: int = 0
    batches: int = 0
    sum_of_chunks: Tensor = _ZERO
    chunks: int = 0

    def add(self, values: Tensor) -> None:
        """Add the values of a batch: float64 [tokens, rows]."""
        self.chunk = self.chunk + values.sum(0)
        self.positions += len(values)
        self.batches += 1
        if self.batches == BATCHES_PER_CHUNK:
            self._close()

    def result(self) -> Tensor:
        """The mean of the chunks' means: float64 [rows]."""
        if self.batches:
            self._close()
        return self.sum_of_chunks / self.chunks

    def _close(self) -> None:
        self.sum_of_chunks = self.sum_of_chunks + self.chunk / self.positions
        self.chunks += 1
        self.chunk, self.positions, self.batches = _ZERO, 0, 0


class ReleasedAccumulator:
    """The metrics of one set, batch by batch, with memory for the sums of one forward pass only.

    All layers of a group pool their entries. Question, answer and padding tokens all count.
    """

    def __init__(self) -> None:
        self._means: dict[tuple[str, str], _ChunkedMean] = {}

    def add_batch(self, parts: Iterable[Mapping[str, Moments]]) -> None:
        """Reduce a batch over its entries and add it to its chunk. parts: its moments by group, part by part."""
        whole: dict[str, Moments] = {}
        for part in parts:
            for group, moments in part.items():
                whole.setdefault(group, Moments()).merge(moments)
        for group, moments in whole.items():
            for metric, values in moments.metrics().items():
                self._means.setdefault((group, metric), _ChunkedMean()).add(values)

    def result(self) -> dict[tuple[str, str], Tensor]:
        """float64 [rows] by (group, metric)."""
        return {key: mean.result().cpu() for key, mean in self._means.items()}


class ReleasedStatistics(Statistics):
    """The four metrics of each (set, part, kind of layer): float64 [rows]. Keys: "{set}/{part}.{kind}/{metric}".

    Vision layers are measured on multimodal batches, language layers on text batches.
    """

    name = "released"
    unit = LINEAR_OUTPUT
    pools_layers = True
    groups = tuple(product(SETS, MODALITIES))
    whole_retain_set = False  # as released

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__(widths)
        for (site, width), data_set, metric in product(self.widths.items(), SETS, METRICS):
            self.tensors[f"{data_set}/{group_of(site)}/{metric}"] = torch.zeros(width, dtype=torch.float64)
        self._accumulators = {data_set: ReleasedAccumulator() for data_set in SETS}

    def value(self, data_set: str, group: str, metric: str) -> Tensor:
        """One metric of a group on a set: float64 [rows]."""
        return self.tensors[f"{data_set}/{group}/{metric}"]

    def listens(self, site: Site, modality: str) -> bool:
        """Each part has a modality of its own."""
        return MODALITY_OF_PART[site.part] == modality

    def keep(self, activation: Activation, heard: dict[str, Any]) -> None:
        """Add the outputs of a layer to the moments of its group."""
        heard.setdefault(group_of(activation.site.name), Moments()).add(activation.z)

    def add(self, data_set: str, modality: str, heard: Sequence[dict[str, Any]], samples: int) -> None:
        """Add the moments of a batch."""
        self._accumulators[data_set].add_batch(heard)

    def finish(self) -> None:
        """Raises ValueError when no batch reached a group."""
        for data_set, accumulator in self._accumulators.items():
            values = accumulator.result()
            for group in dict.fromkeys(map(group_of, self.widths)):
                if (group, METRICS[0]) not in values:
                    raise ValueError(f"no sample of the {data_set} set passed through {group}")
            self.tensors |= {f"{data_set}/{group}/{metric}": value for (group, metric), value in values.items()}


STATISTICS = ReleasedStatistics
