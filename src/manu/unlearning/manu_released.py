"""MANU as in the authors' released code: rows of linear layers, one modality for each part."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from manu.core.errors import UserError
from manu.core.words import SETS
from manu.neurons.selection import LINEAR_OUTPUT, Selection, last_layers, layer_of, part_of, select_top
from manu.neurons.statistics.released import METRICS, ReleasedStatistics, group_of, released_score
from manu.unlearning.base import PruningMethod, require


@dataclass(frozen=True, kw_only=True)
class ManuReleased(PruningMethod):
    """Top prune_ratio percent of the vision rows together and of the language rows together.

    layers: how many layers, counted from the end of each part, are candidates (docs/deviations.md#released);
    language_layers, vision_layers: the candidate layers by number from 0, in place of `layers`.
    """

    statistics: ClassVar[str] = "released"

    layers: int = 3
    language_layers: tuple[int, ...] = ()
    vision_layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.layers >= 1, "layers", self.layers, "at least 1")
        for name in ("language_layers", "vision_layers"):
            given = getattr(self, name)
            require(all(layer >= 0 for layer in given), name, list(given), "layers, counted from 0")

    def select(self, statistics: ReleasedStatistics) -> Selection:
        """The rows to prune. Raises ValueError when a score is not finite, UserError on an unknown layer.

        Every layer has the same scores, and all rows that equal the threshold are pruned, as in
        the released code: the candidate layers get the same mask.
        """
        parts = dict.fromkeys(map(part_of, statistics.widths))
        sites = [site for part in parts for site in self._candidates(statistics.widths, part)]
        return select_top(
            {site: released_score(statistics, site) for site in sites},
            self.prune_ratio,
            "part",
            unit=LINEAR_OUTPUT,
            prune_ties=True,
            importances={
                f"i_{metric}_{data_set}": {site: statistics.value(data_set, group_of(site), metric) for site in sites}
                for metric in METRICS
                for data_set in SETS
            },
        )

    def _candidates(self, sites: Iterable[str], part: str) -> list[str]:
        """Names of a part's sites in the layers that may be pruned."""
        chosen = {"language": self.language_layers, "vision": self.vision_layers}[part]
        if not chosen:
            return last_layers(sites, part, self.layers)
        mine = [site for site in sites if part_of(site) == part]
        there = set(map(layer_of, mine))
        if unknown := set(chosen) - there:
            raise UserError(f"{part}_layers: no layer {min(unknown)}; this model has {min(there)} to {max(there)}")
        return [site for site in mine if layer_of(site) in chosen]


METHOD = ManuReleased
