"""95 percent intervals by bootstrap over people.

The questions about one person are not independent (a model knows the person or does not), so whole people
are drawn with replacement, not single answers: a cluster bootstrap, percentile method.
"""

import hashlib

import numpy as np
import scipy  # its parts are imported when first used


def cell_seed(*keys: object) -> int:
    """Seed in [0, 2**64) that depends on the cell's keys alone, the same on every machine and Python."""
    text = "\x1f".join(str(key) for key in keys)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")


def bootstrap_interval(
    sums: np.ndarray, counts: np.ndarray, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval (low, high) of sum(sums) / sum(counts) over resampled people.

    sums: float64 [people], each person's summed values; counts: [people], each person's number of answers,
    at least 1. level: a fraction, 0.95 = 95 percent. With one person, or where everyone has the same mean,
    resampling says nothing: low = high = the value. Raises ValueError when there is no person.
    """
    sums, counts = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if sums.size == 0 or sums.shape != counts.shape or (counts < 1).any():
        raise ValueError("sums and counts need the same length, at least one person and one answer each")
    value = float(sums.sum() / counts.sum())
    means = sums / counts
    if sums.size == 1 or np.ptp(means) == 0.0:
        return value, value
    interval = scipy.stats.bootstrap(
        (sums, counts),
        lambda s, c, axis=-1: s.sum(axis=axis) / c.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)
