"""Control: prune random neurons at the same ratio. Whatever it forgets, it forgets by damage."""

from dataclasses import dataclass
from typing import ClassVar

from manu.neurons.importance import each_importance
from manu.neurons.selection import Selection, random_selection
from manu.neurons.statistics.modality import ModalityStatistics
from manu.unlearning.base import PruningMethod


@dataclass(frozen=True, kw_only=True)
class RandomNeurons(PruningMethod):
    """`prune_ratio` percent of all MLP neurons, each with the same chance. seed: of the draw."""

    statistics: ClassVar[str] = "modality"

    seed: int = 0

    def select(self, statistics: ModalityStatistics) -> Selection:
        """The neurons to prune; of the statistics only the sites' widths are used."""
        selection = random_selection(statistics.widths, self.prune_ratio, self.seed)
        selection.importances.update(each_importance(statistics))
        return selection


METHOD = RandomNeurons
