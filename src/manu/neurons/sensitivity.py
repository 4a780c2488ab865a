"""How much the answer's loss hangs on each neuron: sums of activation times gradient, streaming, in float64."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from manu.core.errors import UserError
from manu.neurons.statistics import MODALITIES, SETS
from manu.neurons.tensor_file import check_keys, load_tensors, save_tensors

CONTENT = "gradient statistics"


@dataclass
class Effects:
    """Running sums over the samples d of one set and modality; tensors are float64 [width].

    The effect of a neuron on a sample is e(d) = - sum over tokens of z * dL/dz: by how much, to first order, the
    sample's loss L grows when the neuron is set to zero (Molchanov et al. 2019, eq. 4, before squaring).
    count: number of samples; sum: of e(d); sum_abs: of |e(d)|. A sample that does not reach the neuron only counts.
    """

    count: int
    sum: Tensor
    sum_abs: Tensor

    TENSORS = ("sum", "sum_abs")

    @classmethod
    def zeros(cls, width: int) -> "Effects":
        return cls(0, *(torch.zeros(width, dtype=torch.float64) for _ in cls.TENSORS))

    @property
    def mean_abs(self) -> Tensor:
        """Mean of |e(d)|; float64 [width], at least 0. Raises ValueError when no sample was measured."""
        return self.sum_abs / self._counted()

    @property
    def mean(self) -> Tensor:
        """Mean of e(d); float64 [width], above 0 where the loss grows without the neuron. Raises ValueError."""
        return self.sum / self._counted()

    def _counted(self) -> int:
        if not self.count:
            raise ValueError("no sample was measured")
        return self.count


def effects_of(z: Tensor, gradient: Tensor) -> Tensor:
    """e(d) of each sample and neuron. z, gradient dL/dz: [batch, tokens, width], zero gradient at padding ->
    float64 [batch, width]."""
    return -(z.double() * gradient.double()).sum(1)


class GradientStatistics:
    """`Effects` for every (set, modality, site). widths: neurons of each site by its name, in the model's order."""

    def __init__(self, widths: Mapping[str, int]):
        self.widths = dict(widths)
        self._effects = {
            (data_set, modality, site): Effects.zeros(width)
            for data_set, modality in product(SETS, MODALITIES)
            for site, width in self.widths.items()
        }

    def update(self, data_set: str, modality: str, site: str, z: Tensor, gradient: Tensor) -> None:
        """Add a batch: activations and gradients [batch, tokens, width], as in `effects_of`."""
        self.add(data_set, modality, site, effects_of(z, gradient))

    def add(self, data_set: str, modality: str, site: str, each: Tensor) -> None:
        """Add what `effects_of` gives for a batch."""
        effects = self._effects[data_set, modality, site]
        effects.count += len(each)
        effects.sum = effects.sum.to(each.device) + each.sum(0)
        effects.sum_abs = effects.sum_abs.to(each.device) + each.abs().sum(0)

    def add_silent(self, data_set: str, modality: str, site: str, samples: int) -> None:
        """Count samples that never passed through the site (vision on text-only input)."""
        self._effects[data_set, modality, site].count += samples

    def effects(self, data_set: str, modality: str, site: str) -> Effects:
        """The sums of one site."""
        return self._effects[data_set, modality, site]

    def save(self, path: str | os.PathLike) -> None:
        """Write one safetensors file with keys "{set}/{modality}/{site}/{stat}"."""
        tensors = {}
        for key, effects in self._effects.items():
            tensors["/".join((*key, "count"))] = torch.tensor(effects.count, dtype=torch.int64)
            tensors |= {"/".join((*key, stat)): getattr(effects, stat) for stat in Effects.TENSORS}
        save_tensors(path, tensors, {"content": CONTENT, "widths": list(self.widths.items())})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "GradientStatistics":
        """Read what `save` wrote. Raises UserError on a missing, surplus or misshapen entry."""
        tensors, metadata = load_tensors(path, CONTENT)
        if "widths" not in metadata:
            raise UserError(f"{path}: misses 'widths' in its metadata")
        statistics = cls(dict(metadata["widths"]))
        shapes = {}
        for key in statistics._effects:
            shapes["/".join((*key, "count"))] = ()
            shapes |= {"/".join((*key, stat)): (statistics.widths[key[-1]],) for stat in Effects.TENSORS}
        check_keys(path, tensors, shapes)
        for key in statistics._effects:
            count = int(tensors["/".join((*key, "count"))])
            statistics._effects[key] = Effects(count, *(tensors["/".join((*key, stat))] for stat in Effects.TENSORS))
        return statistics
