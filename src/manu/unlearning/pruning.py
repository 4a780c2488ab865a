"""From statistics to the mask of a pruning method."""

from pathlib import Path

from manu.neurons.masks import Mask
from manu.neurons.selection import Selection
from manu.neurons.statistics.base import Statistics
from manu.neurons.statistics.registry import statistics_class
from manu.unlearning.base import PruningMethod
from manu.unlearning.registry import Method


def read_statistics(method: PruningMethod, path: Path) -> Statistics:
    """The statistics in a file, of the kind that a method names. Raises UserError on another kind or a broken file."""
    return statistics_class(method.statistics).load(path)


def selected(method: PruningMethod, statistics: Statistics) -> tuple[Selection, Mask]:
    """The units that a method prunes, and the mask that does it. statistics: of the kind that the method names."""
    selection = method.select(statistics)
    return selection, Mask(selection.masks, selection.unit, method.factor)


def pruned_by(method: Method, statistics: Path | None) -> tuple[Mask, ...]:
    """The mask of a method that prunes or begins with pruning, from a file of statistics; none of other methods."""
    if method.pruning is None or statistics is None:
        return ()
    return (selected(method.pruning, read_statistics(method.pruning, statistics))[1],)
