"""Statistics and score of the code that the authors released: another method than the paper's.

Source: github.com/franciscoliu/MANU, prune/prune_utility.py. The differences from the paper
stand in docs/deviations.md#released.
"""

import os
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import Tensor

from manu.core.errors import UserError
from manu.neurons.statistics import SETS
from manu.neurons.tensor_file import check_keys, load_tensors, save_tensors

CONTENT = "released statistics"
METRICS = ("abs", "freq", "var", "rms")
WEIGHTS = {"abs": 2.0, "freq": 0.0, "var": 2.0, "rms": 2.0}
MODALITY_OF_PART = {"vision": "multimodal", "language": "text"}  # no cross-modal term
CLAMP = 1e3
ACTIVE = 0.1
BATCHES_PER_CHUNK = 10
EPS = 1e-5


def group_of(site: str) -> str:
    """The statistics that a linear layer shares: "language.gate.3" -> "language.gate".

    The released loop registers every layer under the same names, so all layers are pooled.
    """
    return site.rsplit(".", 1)[0]


@dataclass(frozen=True)
class ReleasedStatistics:
    """The four metrics of each (part, kind) on each set.

    widths: rows of each linear site, by site name, in the order of the model;
    values: float64 [rows] by (set, group, metric).
    """

    widths: dict[str, int]
    values: dict[tuple[str, str, str], Tensor]

    def save(self, path: str | os.PathLike) -> None:
        """Write one safetensors file with keys "{set}/{part}.{kind}/{metric}"."""
        tensors = {"/".join(key): value for key, value in self.values.items()}
        save_tensors(path, tensors, {"content": CONTENT, "widths": list(self.widths.items())})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "ReleasedStatistics":
        """Read what `save` wrote. Raises UserError on a missing, surplus or misshapen entry."""
        tensors, metadata = load_tensors(path, CONTENT)
        if "widths" not in metadata:
            raise UserError(f"{path}: misses 'widths' in its metadata")
        widths = dict(metadata["widths"])
        keys = {
            (data_set, group_of(site), metric): (width,)
            for (site, width), data_set, metric in product(widths.items(), SETS, METRICS)
        }
        check_keys(path, tensors, {"/".join(key): shape for key, shape in keys.items()})
        return cls(widths, {key: tensors["/".join(key)] for key in keys})


def released_score(statistics: ReleasedStatistics, site: str) -> Tensor:
    """Sum over metrics of w * (I_f / (I_r + 1e-5) - 1); float64 [rows], higher = more specific to forget.

    A sum of ratios, not a ratio of sums; the frequency weighs 0. Raises ValueError on a value
    that is not finite.
    """
    group = group_of(site)
    score = torch.zeros(statistics.widths[site], dtype=torch.float64)
    for metric, weight in WEIGHTS.items():
        forget, retain = (statistics.values[data_set, group, metric] for data_set in SETS)
        score = score + weight * (forget / (retain + EPS) - 1)
    if not score.isfinite().all():
        raise ValueError(f"released score: {int((~score.isfinite()).sum())} rows of {group} are not finite")
    return score


@dataclass
class _Moments:
    """Sums over the entries of one forward pass: batch times layers; each tensor [tokens, rows]."""

    entries: int = 0
    sums: tuple[Tensor, ...] = ()

    def add(self, outputs: Tensor) -> None:
        # Clamped and compared in the model's own precision, as the released code does and at less cost; summed in float64,
        # in place, as a copy takes twice the outputs' memory.
        clamped = outputs.clamp(-CLAMP, CLAMP)
        active = (clamped.abs() > ACTIVE).sum(0, dtype=torch.int32).double()
        a = clamped.double()
        total, magnitude = a.sum(0), a.abs_()
        sum_abs = magnitude.sum(0)
        new = (sum_abs, active, total, magnitude.square_().sum(0))
        self.sums = tuple(old + value for old, value in zip(self.sums, new, strict=True)) if self.sums else new
        self.entries += len(a)

    def merge(self, other: "_Moments") -> None:
        """Add the sums of other entries of the same pass."""
        pairs = zip(self.sums, other.sums, strict=True)
        self.sums = tuple(mine + theirs for mine, theirs in pairs) if self.sums else other.sums
        self.entries += other.entries

    def metrics(self) -> dict[str, Tensor]:
        n = self.entries
        sum_abs, active, total, squares = self.sums
        # The sample standard deviation over batch and layers. A single entry (one layer, a batch
        # of one) has none: torch.std gives NaN, here it is 0.
        spread = ((squares - total.square() / n) / max(n - 1, 1)).clamp_min(0).sqrt()
        return {"abs": sum_abs / n, "freq": active / n, "var": spread, "rms": (squares / n).sqrt()}


@dataclass
class _ChunkedMean:
    """Mean over all positions of ten batches; then the mean of those means, a short last chunk included."""

    chunk: Tensor | float = 0.0
    positions: int = 0
    batches: int = 0
    sum_of_chunks: Tensor | float = 0.0
    chunks: int = 0

    def add(self, values: Tensor) -> None:
        self.chunk = self.chunk + values.sum(0)
        self.positions += len(values)
        self.batches += 1
        if self.batches == BATCHES_PER_CHUNK:
            self._close()

    def result(self) -> Tensor:
        if self.batches:
            self._close()
        return self.sum_of_chunks / self.chunks

    def _close(self) -> None:
        self.sum_of_chunks = self.sum_of_chunks + self.chunk / self.positions
        self.chunks += 1
        self.chunk, self.positions, self.batches = 0.0, 0, 0


@dataclass
class ReleasedAccumulator:
    """The metrics of one set, batch by batch, with memory for one forward pass's sums only.

    Call `update` at every forward pass through a linear layer and `end_batch` after each
    batch; question, answer and padding tokens all count.
    """

    _moments: dict[str, _Moments] = field(default_factory=dict)
    _means: dict[tuple[str, str], _ChunkedMean] = field(default_factory=dict)

    def update(self, site: str, outputs: Tensor) -> None:
        """Add outputs [batch, tokens, rows] of one layer. All layers of a group pool their entries."""
        self._moments.setdefault(group_of(site), _Moments()).add(outputs)

    def merge(self, part: "ReleasedAccumulator") -> None:
        """Add the part of a batch that another has heard since its last batch ended."""
        for group, moments in part._moments.items():
            self._moments.setdefault(group, _Moments()).merge(moments)

    def end_batch(self) -> None:
        """Reduce the batch over its entries, then add it to its chunk."""
        for group, moments in self._moments.items():
            for metric, values in moments.metrics().items():
                self._means.setdefault((group, metric), _ChunkedMean()).add(values)
        self._moments.clear()

    def result(self) -> dict[tuple[str, str], Tensor]:
        """float64 [rows] by (group, metric)."""
        return {key: mean.result().cpu() for key, mean in self._means.items()}
