"""Several ways to do one thing, timed side by side: a claim about speed is the ratio of two of them in one run."""

import time
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd


def side_by_side(
    sides: Mapping[str, Callable[[], object]], repeats: int, at_most: Mapping[str, float] = {}
) -> pd.DataFrame:
    """Time each side once in every one of `repeats` rounds, after a round that does not count.

    The rounds begin with another side each, so that none always runs in the cache that another left. at_most: the
    target of a side's ratio. Returns one row per side: seconds (lowest, median, highest round) and its ratio to the
    first side of the same round (median, lowest, highest): what else the machine does strikes both.
    """
    names = list(sides)
    seconds = np.zeros((repeats, len(names)))
    for work in sides.values():
        work()
    for turn in range(repeats):
        for offset in range(len(names)):
            which = (turn + offset) % len(names)
            start = time.perf_counter()
            sides[names[which]]()
            seconds[turn, which] = time.perf_counter() - start
    return compared(dict(zip(names, seconds.T, strict=True)), at_most)


def compared(seconds: Mapping[str, np.ndarray], at_most: Mapping[str, float] = {}) -> pd.DataFrame:
    """The rows of `side_by_side`, from the seconds of each side in the order of the rounds."""
    first = next(iter(seconds.values()))
    rows = []
    for name, each in seconds.items():
        ratios = np.asarray(each) / first
        rows.append(
            {
                "side": name,
                "rounds": len(each),
                **dict(zip(("seconds_min", "seconds_median", "seconds_max"), _spread(each), strict=True)),
                **dict(zip(("ratio_min", "ratio_median", "ratio_max"), _spread(ratios), strict=True)),
                "target": at_most.get(name, np.nan),
            }
        )
    return pd.DataFrame(rows)


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    return float(np.min(values)), float(np.median(values)), float(np.max(values))
