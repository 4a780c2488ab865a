"""Sensitivity of the answer's loss to each neuron: sums of activation times gradient, in float64."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from manu.core.words import MODALITIES, SETS
from manu.neurons.statistics.base import Activation, SampleStatistics


@dataclass(frozen=True)
class Effects:
    """Sums over the samples d of one set and modality at one site; tensors are float64 [width].

    The effect of a neuron on a sample is e(d) = - sum over tokens of z * dL/dz: to first order, how much the sample's
    loss L grows when the neuron is set to zero (Molchanov et al. 2019, Eq. 4, before squaring).
    count: number of samples; sum: of e(d); sum_abs: of |e(d)|. A sample that does not reach the neuron adds to the
    count alone.
    """

    count: int
    sum: Tensor
    sum_abs: Tensor

    TENSORS = ("sum", "sum_abs")

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
    """e(d) of each sample and neuron: float64 [batch, width].

    z, gradient dL/dz: [batch, tokens, width]; the gradient is zero at padding.
    """
    return -(z.double() * gradient.double()).sum(1)


class GradientStatistics(SampleStatistics):
    """`Effects` for every (set, modality, site). Keys: "{set}/{modality}/{site}/{sum}"."""

    name = "gradient"
    adds_up = True
    gradients = True

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__(widths)
        for data_set, modality in product(SETS, MODALITIES):
            for site, width in self.widths.items():
                self.tensors |= self.zeros(f"{data_set}/{modality}/{site}", width, *Effects.TENSORS)

    def values(self, activation: Activation) -> dict[str, Tensor]:
        """e(d) of each sample and neuron."""
        if activation.gradient is None:
            raise TypeError(f"{activation.site.name}: an activation without its gradient")
        return {"effect": effects_of(activation.z, activation.gradient)}

    def add_values(self, data_set: str, modality: str, site: str, values: Mapping[str, Tensor]) -> None:
        """Add the effects of a batch."""
        effect = values["effect"]
        self.increase(f"{data_set}/{modality}/{site}", len(effect), sum=effect.sum(0), sum_abs=effect.abs().sum(0))

    def add_silent(self, data_set: str, modality: str, site: str, samples: int) -> None:
        """Count samples with e(d) = 0."""
        self.increase(f"{data_set}/{modality}/{site}", samples)

    def effects(self, data_set: str, modality: str, site: str) -> Effects:
        """The sums of one site."""
        key = f"{data_set}/{modality}/{site}"
        return Effects(self.count(key), *(self.tensors[f"{key}/{name}"] for name in Effects.TENSORS))


STATISTICS = GradientStatistics
