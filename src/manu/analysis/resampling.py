"""Draws of people, so that every quantity of a run is computed on the same ones.

A draw weighs the people anew (the Bayesian bootstrap, Rubin 1981). Methods that are compared on the same people share
the weights: differences between them are paired. The draws of a mean are the points of its own interval at all levels
(manu.analysis.intervals), in the order of the weighted means; so the interval of a single mean is the same whether it
comes from draws or from the formula, and what is computed from several means (a difference, a ratio, a composite) takes
over their uncertainty and their correlation.

The number of draws is one less than a round number, such as 999, so that the ends of an interval are draws themselves
(Davison and Hinkley 1997, section 2.4); with others the two intervals of one mean differ a little, by interpolation.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import scipy  # its parts are imported when first used

from manu.analysis.intervals import Mean

SHARE, SIGNED, POSITIVE, ANYTHING = (0.0, 1.0), (-1.0, 1.0), (0.0, np.inf), (-np.inf, np.inf)  # ranges


def draw_weights(people: int, resamples: int, seed: int) -> np.ndarray:
    """How much each person counts: float64 [resamples + 1, people], 1 on average; the first row is everyone once."""
    rng = np.random.default_rng(seed)
    return np.vstack([np.ones((1, people)), people * rng.dirichlet(np.ones(people), size=resamples)])


def mean_draws(weights: np.ndarray, sums: np.ndarray, counts: np.ndarray, seed: int) -> np.ndarray:
    """Mean over answers, of values in [0, 1], for each draw: [draws], the first the mean itself. NaN without answers.

    sums, counts: [people], of each person's answers. seed: of the part of the order that does not come from the people,
    since it is assumed (Mean.assumed); two means need two seeds, or they would count as one and the same.
    """
    mean = Mean.of(sums, counts)
    if not mean.answers:
        return np.full(len(weights), np.nan)
    order = np.random.default_rng(seed).standard_normal(len(weights) - 1)
    from_people = weights[1:] @ (sums - mean.value * counts)
    if (spread := from_people.std()) > 1e-9:
        order = np.sqrt(mean.assumed) * order + np.sqrt(1 - mean.assumed) * from_people / spread
    return _in_order(mean, order)


def weighted_auc(
    positive_weights: np.ndarray, positive: np.ndarray, negative_weights: np.ndarray, negative: np.ndarray
) -> np.ndarray:
    """Area under the ROC curve for each draw: [draws]; the share of pairs whose positive scores higher, a tie half.

    The Mann-Whitney statistic U / (n m). positive, negative: scores, [n] and [m]; weights: [draws, n] and [draws, m].
    """
    wins = (positive[:, None] > negative).astype(np.float64) + 0.5 * (positive[:, None] == negative)
    pairs = positive_weights.sum(axis=1) * negative_weights.sum(axis=1)
    return ((positive_weights @ wins) * negative_weights).sum(axis=1) / pairs


def calibrated(draws: np.ndarray, answers: int, people: int) -> np.ndarray:
    """Draws of a statistic in [0, 1] that is no mean, stretched to those of a mean with its value and its variance.

    draws: the statistic itself, then with weighted people, [draws]; answers, people: behind it, in the smaller group of
    two. Weighting people gives a variance that is too small by (people - 1) / (people + 1).
    """
    variance = draws[1:].var() * (people + 1) / (people - 1) if people > 1 else float("nan")
    return _in_order(Mean(float(draws[0]), float(variance), answers, people), draws[1:])


def over_runs(runs: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """Draws of the mean over several training runs of one thing: [draws], the first the mean itself.

    runs: the draws of each run, over people whom all runs share. What differs between the runs is training noise: a
    point of s / sqrt(k) t is added to the mean over the runs of each draw, with s the standard deviation of the k runs'
    values and t Student's with k - 1 degrees of freedom, in an order of its own (`seed`). So people and runs count as
    crossed random effects, whose variances add up (Searle, Casella and McCulloch 1992, chapter 4). One run says nothing
    of training noise and comes back as it is.
    """
    values, draws = np.array([run[0] for run in runs]), np.mean(runs, axis=0)
    if len(runs) > 1:
        noise = values.std(ddof=1) / np.sqrt(len(runs)) * _t_quantiles(len(draws) - 1, len(runs) - 1)
        draws[1:] += np.random.default_rng(seed).permutation(noise)
    return draws


def absolute(draws: np.ndarray) -> np.ndarray:
    """Size of a signed difference for each draw: |value|, and 0 in the draws that have the other sign."""
    return np.abs(draws) if draws[0] == 0 else np.maximum(np.sign(draws[0]) * draws, 0.0)


def ends(draws: np.ndarray, level: float, within: tuple[float, float] = ANYTHING) -> tuple[float, float, float]:
    """(value, low, high): the first draw, and the interval that leaves out equal shares of the others at both ends.

    Near the end of its range the interval of a mean lies to one side of it, so that an average of many such means has
    most draws to one side of its value. There the interval reaches farther to the other side, by the distance between
    value and median; so it always holds the value. within: the range, at which it is cut. Draws that are not defined
    (NaN) do not count; without any other the ends are NaN.
    """
    value, rest = float(draws[0]), draws[1:][np.isfinite(draws[1:])]
    if not np.isfinite(value) or rest.size == 0:
        return value, float("nan"), float("nan")
    low, median, high = np.quantile(rest, [(1 - level) / 2, 0.5, (1 + level) / 2], method="weibull")
    low, high = np.clip([low + min(value - median, 0.0), high + max(value - median, 0.0)], *within)
    return value, float(low), float(high)


def _in_order(mean: Mean, order: np.ndarray) -> np.ndarray:
    """The mean, then the points of its interval at levels (rank + 1) / (draws + 1), ranked as in `order`."""
    points = mean.bounds(_t_quantiles(len(order), mean.freedom))
    return np.concatenate([[mean.value], points[np.argsort(np.argsort(order, kind="stable"))]])


@cache
def _t_quantiles(draws: int, freedom: int) -> np.ndarray:
    """Quantiles of t at the levels (rank + 1) / (draws + 1), ascending."""
    return scipy.stats.t.ppf(np.arange(1, draws + 1) / (draws + 1), freedom)
