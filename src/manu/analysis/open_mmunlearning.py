"""Measures of forgetting as Open-MMUnlearning publishes them (Chen et al. 2026, arXiv 2610.10358; public code of
2026-10), for each draw of people.

l(a) is the loss of an answer a to a generation question: minus the mean log-likelihood of its tokens after the prompt,
in nats, the end token left out. Losses are [questions, answers]: of the reference, a paraphrase and false answers.
Where paper and code differ, the code counts: the paper calls KS and JS distances to the retain-only model, but its
table gives that model 0.150 and 0.337, and its code compares a split with the retain split of the same model.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its parts are imported when first used

BINS, SMOOTHING = 50, 1e-12  # of the histograms


@dataclass(frozen=True)
class Sample:
    """values: [questions]; weights: [draws, questions], how often each question is drawn."""

    values: np.ndarray
    weights: np.ndarray


def answer_probabilities(losses: np.ndarray) -> np.ndarray:
    """exp(-l(reference)), in [0, 1]: [questions]."""
    return np.exp(-losses[:, 0])


def truth_ratios(losses: np.ndarray) -> np.ndarray:
    """R = exp((l(reference) + l(paraphrase)) / 2 - mean of l(false answer)): [questions], 0 or more.

    Below 1 the model finds the truth more likely than the false answers. Several likelihoods are averaged as losses,
    so their mean is geometric.
    """
    with np.errstate(over="ignore"):
        return np.exp(losses[:, :2].mean(axis=1) - losses[:, 2:].mean(axis=1))


def indifference(ratios: np.ndarray) -> np.ndarray:
    """min(R, 1 / R), in [0, 1]: 1 where truth and false answers are equally likely (TOFU, on forget data)."""
    with np.errstate(divide="ignore"):
        return np.minimum(ratios, 1 / ratios)


def truthfulness(ratios: np.ndarray) -> np.ndarray:
    """max(0, 1 - R), in [0, 1]: high where the truth is more likely (TOFU, on other data)."""
    return np.maximum(0.0, 1.0 - ratios)


def ks_statistics(one: Sample, other: Sample) -> np.ndarray:
    """Two-sample Kolmogorov-Smirnov statistic for each draw: [draws], in [0, 1]."""
    values = np.concatenate([one.values, other.values])
    order = np.argsort(values, kind="stable")
    shares = [each.weights / each.weights.sum(axis=1, keepdims=True) for each in (one, other)]
    distance = np.abs(np.cumsum(np.concatenate([shares[0], -shares[1]], axis=1)[:, order], axis=1))
    last = np.append(values[order][1:] > values[order][:-1], True)  # of equal values only the last step counts
    return distance[:, last].max(axis=1)


def js_distances(one: Sample, other: Sample, bins: int = BINS) -> np.ndarray:
    """Jensen-Shannon distance for each draw: [draws], in nats to the power 1/2, at most sqrt(ln 2).

    Between histograms over equal bins from the lowest to the highest value that was drawn; every bin has SMOOTHING
    added. NaN where a value is infinite.
    """
    both = (one, other)
    if not all(np.isfinite(each.values).all() for each in both):
        return np.full(len(one.weights), np.nan)
    drawn = [np.where(each.weights > 0, each.values, np.nan) for each in both]
    low = np.minimum(*(np.nanmin(each, axis=1) for each in drawn))
    high = np.maximum(*(np.nanmax(each, axis=1) for each in drawn))
    edges = np.linspace(low, np.where(high > low, high, low + 1e-8), bins + 1, axis=1)
    distance = scipy.spatial.distance.jensenshannon(*(_histograms(each, edges) for each in both), axis=1)
    return np.nan_to_num(distance)  # of equal distributions rounding may leave less than 0, and no root


def _histograms(sample: Sample, edges: np.ndarray) -> np.ndarray:
    """Shares of the bins for each draw: [draws, bins]. Each bin has its lower edge, the last one both."""
    draws, bins = len(edges), edges.shape[1] - 1
    inside = np.clip(sample.values, edges[:, :1], edges[:, -1:])  # values outside are not drawn
    width = edges[:, -1:] - edges[:, :1]
    place = np.minimum(((inside - edges[:, :1]) / width * bins).astype(np.int64), bins - 1)
    place -= inside < np.take_along_axis(edges, place, axis=1)  # the division rounds
    place += (inside >= np.take_along_axis(edges, place + 1, axis=1)) & (place < bins - 1)
    flat = (place + bins * np.arange(draws)[:, None]).ravel()
    counts = np.bincount(flat, sample.weights.ravel(), minlength=draws * bins).reshape(draws, bins) + SMOOTHING
    return counts / counts.sum(axis=1, keepdims=True)


def task_forgetting(cloze: np.ndarray, classification: np.ndarray, rouge_l: np.ndarray) -> np.ndarray:
    """F_task of a split: mean of 1 - each, all in [0, 1] (equation 51)."""
    return ((1 - cloze) + (1 - classification) + (1 - rouge_l)) / 3


def forget_quality(
    forget: np.ndarray, test: np.ndarray, truth: np.ndarray, probability: np.ndarray, ks: np.ndarray, js: np.ndarray
) -> np.ndarray:
    """Mean of (F_task of forget + of test) / 2, the truth ratio in [0, 1], 1 - probability, 1 - KS and 1 - JS (equation
    53)."""
    return ((forget + test) / 2 + truth + (1 - probability) + (1 - ks) + (1 - js)) / 5
