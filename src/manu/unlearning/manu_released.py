"""MANU as the authors' released code does it: rows of linear layers, one modality for each part."""

from dataclasses import dataclass
from typing import ClassVar

from manu.neurons.released import METRICS, ReleasedStatistics, group_of, released_score
from manu.neurons.selection import LINEAR_OUTPUT, Selection, last_layers, part_of, select_top
from manu.neurons.statistics import SETS
from manu.unlearning.base import PruningMethod, require


@dataclass(frozen=True, kw_only=True)
class ManuReleased(PruningMethod):
    """Top prune_ratio percent of the vision rows together and of the language rows together.

    layers: how many layers, counted from the end of each part, are candidates
    (docs/deviations.md#released).
    """

    statistics: ClassVar[str] = "released"

    layers: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.layers >= 1, "layers", self.layers, "at least 1")

    def select(self, statistics: ReleasedStatistics) -> Selection:
        """The rows to prune. Raises ValueError when a score is not finite.

        Every layer carries the same scores, and rows that equal the threshold all go, as in
        the released code: the candidate layers get the same mask.
        """
        parts = dict.fromkeys(map(part_of, statistics.widths))
        sites = [site for part in parts for site in last_layers(statistics.widths, part, self.layers)]
        return select_top(
            {site: released_score(statistics, site) for site in sites},
            self.prune_ratio,
            "part",
            unit=LINEAR_OUTPUT,
            prune_ties=True,
            importances={
                f"i_{metric}_{data_set}": {site: statistics.values[data_set, group_of(site), metric] for site in sites}
                for metric in METRICS
                for data_set in SETS
            },
        )


METHOD = ManuReleased
