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
    return selection, Mask(selection.masks, selection.unit, method.factor, stability(method, statistics))


def stability(method: PruningMethod, statistics: Statistics) -> float | None:
    """How much the masks of two halves of the samples have in common: 2 |A and B| / (|A| + |B|), in [0, 1].

    Two masks drawn at random would have the pruned share of all candidates in common. None for a kind of statistics
    without halves, and where a half selects nothing.
    """
    halves = statistics.halves()
    if halves is None:
        return None
    try:
        one, other = (method.select(half) for half in halves)
    except ValueError:  # a half without samples
        return None
    both = sum(int((mask & other.masks[site]).sum()) for site, mask in one.masks.items() if site in other.masks)
    return 2 * both / (one.pruned + other.pruned)


def pruned_by(method: Method, statistics: Path | None) -> tuple[Mask, ...]:
    """The mask of a method that prunes or begins with pruning, from a file of statistics; none of other methods."""
    if method.pruning is None or statistics is None:
        return ()
    return (selected(method.pruning, read_statistics(method.pruning, statistics))[1],)
