"""Control: prune the neurons that are most active on forget, whatever they do on retain."""

from dataclasses import dataclass
from typing import ClassVar

from manu.core.words import MODALITIES
from manu.neurons.importance import each_importance
from manu.neurons.selection import Selection, select_top
from manu.neurons.statistics.modality import ModalityStatistics
from manu.unlearning.base import PruningMethod


@dataclass(frozen=True, kw_only=True)
class LargestActivation(PruningMethod):
    """The `prune_ratio` percent of MLP neurons with the largest mean magnitude Zbar_multi + Zbar_text on forget."""

    statistics: ClassVar[str] = "modality"

    def select(self, statistics: ModalityStatistics) -> Selection:
        """The neurons to prune."""
        scores = {}
        for site in statistics.widths:
            multimodal, text = (statistics.sums("forget", modality, "mean", site) for modality in MODALITIES)
            scores[site] = multimodal.sum_abs / multimodal.count + text.sum_abs / text.count
        return select_top(scores, self.prune_ratio, importances=each_importance(statistics))


METHOD = LargestActivation
