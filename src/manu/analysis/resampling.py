"""Bootstrap over people with weights, so that every quantity of a run is computed on the same draws.

A draw takes as many people as there are, with replacement; its weights say how often each was taken. Means are
linear in the weights, and methods that are compared on the same people share the draws: differences between them
are paired.
"""

import numpy as np


def draw_weights(people: int, resamples: int, seed: int) -> np.ndarray:
    """How often each person is taken: float64 [resamples + 1, people]; the first row is everyone once."""
    rng = np.random.default_rng(seed)
    taken = rng.multinomial(people, np.full(people, 1.0 / people), size=resamples)
    return np.vstack([np.ones((1, people)), taken]).astype(np.float64)


def weighted_mean(weights: np.ndarray, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean over answers for each draw: [draws]. sums, counts: [people], of each person's answers."""
    return (weights @ sums) / (weights @ counts)


def weighted_ks(weights: np.ndarray, owner: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two-sample Kolmogorov-Smirnov statistic for each draw: [draws], in [0, 1].

    first, second: values of two models for the same questions, [questions]; owner: whose question each is, as an
    index into the columns of `weights`.
    """
    values = np.concatenate([first, second])
    order = np.argsort(values, kind="stable")
    per_question = weights[:, owner]
    share = per_question / per_question.sum(axis=1, keepdims=True)
    steps = np.concatenate([share, -share], axis=1)[:, order]
    distance = np.abs(np.cumsum(steps, axis=1))
    last = np.append(np.diff(values[order]) > 0, True)  # of equal values only the last step counts
    return distance[:, last].max(axis=1)


def ends(draws: np.ndarray, level: float) -> tuple[float, float, float]:
    """(value, low, high): the first draw, and the percentile interval of the others, which may be undefined (NaN)."""
    value, rest = float(draws[0]), draws[1:][np.isfinite(draws[1:])]
    if not np.isfinite(value) or rest.size == 0:
        return value, float("nan"), float("nan")
    low, high = np.quantile(rest, [(1 - level) / 2, (1 + level) / 2])
    return value, float(low), float(high)


def weighted_auc(
    positive_weights: np.ndarray, positive: np.ndarray, negative_weights: np.ndarray, negative: np.ndarray
) -> np.ndarray:
    """Area under the ROC curve for each draw: [draws]; the share of pairs whose positive scores higher, a tie half.

    The Mann-Whitney statistic U / (n m). positive, negative: scores, [n] and [m]; weights: [draws, n] and [draws, m].
    """
    wins = (positive[:, None] > negative).astype(np.float64) + 0.5 * (positive[:, None] == negative)
    pairs = positive_weights.sum(axis=1) * negative_weights.sum(axis=1)
    return ((positive_weights @ wins) * negative_weights).sum(axis=1) / pairs
