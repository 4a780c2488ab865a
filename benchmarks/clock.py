"""Time alternatives side by side. A statement about speed is the ratio of two alternatives in the same run."""

import time
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd


def side_by_side(
    sides: Mapping[str, Callable[[], object]], repeats: int, at_most: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Time every side once per round, in `repeats` rounds after a warm-up round.

    sides: name -> work. Every round starts with a different side, so that no side always profits from another's cache.
    at_most: side -> target of its ratio.
    Returns one row per side: seconds (minimum, median and maximum over rounds), and the ratio to the first side in the
    same round (minimum, median, maximum). Other load on the machine slows both sides of a ratio.
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


def compared(seconds: Mapping[str, np.ndarray], at_most: Mapping[str, float] | None = None) -> pd.DataFrame:
    """The rows of `side_by_side`, from the seconds of every side, [rounds]."""
    first = next(iter(seconds.values()))
    rows = []
    for name, measured in seconds.items():
        ratios = np.asarray(measured) / first
        rows.append(
            {
                "side": name,
                "rounds": len(measured),
                **dict(zip(("seconds_min", "seconds_median", "seconds_max"), _spread(measured), strict=True)),
                **dict(zip(("ratio_min", "ratio_median", "ratio_max"), _spread(ratios), strict=True)),
                "target": (at_most or {}).get(name, np.nan),
            }
        )
    return pd.DataFrame(rows)


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    """Minimum, median and maximum."""
    return float(np.min(values)), float(np.median(values)), float(np.max(values))
