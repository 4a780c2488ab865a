"""MANU as the project's brief describes it: neurons by gradient sensitivity, per modality, in two stages."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch
from torch import Tensor

from manu.core.words import MODALITIES, SETS
from manu.neurons.selection import Selection, select_in_turn
from manu.neurons.statistics.gradient import GradientStatistics
from manu.unlearning.base import PruningMethod, require


@dataclass(frozen=True, kw_only=True)
class ManuGradient(PruningMethod):
    """Sensitivity A_m(D, n) = mean over d of |sum over tokens of z dL/dz|, L the loss of the answer (first-order
    effect of removing n; Molchanov et al. 2019), specific to forget in modality m where
    s_m(n) = A_m(D_f, n) / (A_m(D_r, n) + damping * mean over n of A_m(D_r, n)) is high.

    prune_ratio: percent of all neurons; of these the share `shared` is taken by min over m of s_m (stage one: neurons
    critical in both modalities), the rest by s_m of each modality (stage two), the share `multimodal` of it in the
    multimodal one. damping: excludes neurons that hardly matter to either set. (docs/method.md#manu_gradient)
    """

    statistics: ClassVar[str] = "gradient"

    shared: float = 0.5
    multimodal: float = 0.5
    damping: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.shared <= 1, "shared", self.shared, "from 0 to 1")
        require(0 <= self.multimodal <= 1, "multimodal", self.multimodal, "from 0 to 1")
        require(self.damping > 0, "damping", self.damping, "above 0")

    def select(self, statistics: GradientStatistics) -> Selection:
        """The neurons to prune. Raises ValueError when a sensitivity is not finite."""
        specific = {modality: self._specific(statistics, modality) for modality in MODALITIES}
        by_modality = [[specific[modality][site] for modality in MODALITIES] for site in statistics.widths]
        both = dict(zip(statistics.widths, (torch.minimum(*each) for each in by_modality), strict=True))
        either = dict(zip(statistics.widths, (torch.maximum(*each) for each in by_modality), strict=True))
        wanted = math.floor(Fraction(str(self.prune_ratio)) / 100 * sum(statistics.widths.values()))
        shared = round(self.shared * wanted)
        picture = round(self.multimodal * (wanted - shared))
        counts = dict(zip(MODALITIES, (picture, wanted - shared - picture), strict=True))
        turns = [(both, shared), *((specific[modality], counts[modality]) for modality in MODALITIES)]
        return select_in_turn(turns, either, importances=_columns(statistics))

    def _specific(self, statistics: GradientStatistics, modality: str) -> dict[str, Tensor]:
        forget, retain = (_sensitivity(statistics, data_set, modality) for data_set in SETS)
        floor = self.damping * torch.cat(list(retain.values())).mean()
        return {site: forget[site] / (retain[site] + floor) for site in forget}


def _sensitivity(statistics: GradientStatistics, data_set: str, modality: str) -> dict[str, Tensor]:
    values = {site: statistics.effects(data_set, modality, site).mean_abs for site in statistics.widths}
    if not all(each.isfinite().all() for each in values.values()):
        raise ValueError(f"a sensitivity on the {data_set} set ({modality}) is not finite")
    return values


def _columns(statistics: GradientStatistics) -> dict[str, dict[str, Tensor]]:
    """A_m(D, n) for the table of pruned neurons, as `a_<modality>_<set>`."""
    return {
        f"a_{modality}_{data_set}": _sensitivity(statistics, data_set, modality)
        for modality in MODALITIES
        for data_set in SETS
    }


METHOD = ManuGradient
