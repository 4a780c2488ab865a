"""Weighted bootstrap: by hand, against scipy, and the coverage of its intervals by simulation."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from manu.analysis.intervals import bootstrap_interval
from manu.analysis.resampling import draw_weights, ends, weighted_ks, weighted_mean


def test_the_first_draw_is_the_sample_itself():
    weights = draw_weights(4, 50, seed=1)
    assert weights.shape == (51, 4) and (weights[0] == 1).all() and (weights.sum(axis=1) == 4).all()
    assert (weights == draw_weights(4, 50, seed=1)).all() and (weights != draw_weights(4, 50, seed=2)).any()


def test_means_by_hand():
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 0, 3]], dtype=float)
    means = weighted_mean(weights, np.array([1.0, 2.0, 0.0]), np.array([2, 2, 4]))
    assert means.tolist() == [3 / 8, 2 / 8, 0.0]


@pytest.mark.parametrize("seed", range(5))
def test_ks_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(6), 3)
    first, second = rng.integers(0, 8, (2, 18)) / 8  # many ties
    weights = draw_weights(6, 20, seed)
    got = weighted_ks(weights, owner, first, second)
    for draw, statistic in zip(weights, got, strict=True):
        times = draw[owner].astype(int)
        assert statistic == pytest.approx(ks_2samp(np.repeat(first, times), np.repeat(second, times)).statistic)


def test_ends():
    draws = np.array([0.5, 0.0, 0.25, 0.5, 0.75, 1.0, np.nan])
    assert ends(draws, 0.5) == (0.5, 0.25, 0.75)
    assert np.isnan(ends(np.array([np.nan, 1.0]), 0.9)).all()


@pytest.mark.parametrize("method", ["weights", "intervals"])
def test_intervals_cover_the_truth_as_often_as_they_say(method):
    """People differ (their rates are drawn), five answers each: a 90 percent interval over people holds the rate of
    the population in about 90 percent of samples; one over answers, as if they were independent, in far fewer."""
    rng = np.random.default_rng(7)
    trials, people, answers, truth = 400, 50, 5, 0.6
    held = naive = 0
    for trial in range(trials):
        rates = rng.beta(6 / 5, 4 / 5, people)  # mean 0.6
        right = rng.binomial(answers, rates).astype(float)
        counts = np.full(people, answers)
        if method == "weights":
            _, low, high = ends(weighted_mean(draw_weights(people, 300, trial), right, counts), 0.9)
        else:
            low, high = bootstrap_interval(right, counts, resamples=300, level=0.9, seed=trial)
        held += low <= truth <= high
        mean = right.sum() / (people * answers)
        half = 1.645 * np.sqrt(mean * (1 - mean) / (people * answers))
        naive += abs(mean - truth) <= half
    assert 0.86 <= held / trials <= 0.94
    assert naive / trials < 0.80
