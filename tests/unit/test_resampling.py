"""Draws of people: by hand, against scipy, and how often the intervals of what is computed from them hold the truth."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from benchmarks.coverage import IN_USE, PLAIN, composite
from manu.analysis.intervals import score_interval
from manu.analysis.open_mmunlearning import Sample, ks_statistics
from manu.analysis.resampling import absolute, calibrated, draw_weights, ends, mean_draws, over_runs

FIVE = np.full(6, 5)
SUMS = np.array([5.0, 3.0, 0.0, 4.0, 1.0, 2.0])


def test_the_first_draw_is_the_sample_itself():
    weights = draw_weights(4, 50, seed=1)
    assert weights.shape == (51, 4) and (weights[0] == 1).all()
    assert weights.sum(axis=1) == pytest.approx(4) and (weights >= 0).all()
    assert (weights == draw_weights(4, 50, seed=1)).all() and (weights != draw_weights(4, 50, seed=2)).any()


@pytest.mark.parametrize("sums", [SUMS, np.full(6, 5.0), np.zeros(6), np.full(6, 2.0)])
def test_the_draws_of_one_mean_have_its_own_interval(sums):
    for draws, difference in ((199, 1e-12), (999, 1e-12), (1000, 1e-4)):
        value, low, high = ends(mean_draws(draw_weights(6, draws, seed=3), sums, FIVE, seed=5), 0.95)
        assert value == pytest.approx(sums.sum() / 30)
        assert (low, high) == pytest.approx(score_interval(sums, FIVE, 0.95), abs=difference)


def test_the_order_of_the_draws_is_that_of_the_people():
    weights = draw_weights(6, 400, seed=3)
    draws = mean_draws(weights, 100 * SUMS, 100 * FIVE, seed=5)  # so many answers that next to nothing is assumed
    assert np.corrcoef(draws[1:], weights[1:] @ SUMS)[0, 1] > 0.95


def test_without_answers_the_mean_is_not_defined():
    assert np.isnan(mean_draws(draw_weights(2, 5, seed=0), np.zeros(2), np.zeros(2), seed=0)).all()


def width(draws: np.ndarray) -> float:
    _, low, high = ends(draws, 0.95)
    return high - low


def test_a_mean_less_itself_has_no_width_and_two_that_are_alike_have():
    weights = draw_weights(6, 1000, seed=3)
    for sums in (SUMS, np.full(6, 5.0)):
        one, same, other = (mean_draws(weights, sums, FIVE, seed) for seed in (1, 1, 2))
        assert width(one - same) == 0.0
        assert 0.05 < width(one - other) < 1.9 * width(one)


def test_differences_are_paired():
    """Two methods that know the same people differ less surely if they are asked about other people."""
    weights, others = draw_weights(6, 1000, seed=3), draw_weights(6, 1000, seed=4)
    mine, theirs = (mean_draws(weights, sums, FIVE, seed) for seed, sums in enumerate((SUMS, np.maximum(SUMS - 1, 0))))
    apart = mean_draws(others, np.maximum(SUMS - 1, 0), FIVE, seed=1)
    assert width(mine - theirs) < 0.7 * width(mine - apart)


@pytest.mark.parametrize("seed", range(5))
def test_ks_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(6), 3)
    first, second = rng.integers(0, 8, (2, 18)) / 8  # many ties
    weights = rng.multinomial(6, np.full(6, 1 / 6), size=20).astype(float)
    got = ks_statistics(*(Sample(values, weights[:, owner]) for values in (first, second)))
    for draw, statistic in zip(weights, got, strict=True):
        times = draw[owner].astype(int)
        assert statistic == pytest.approx(ks_2samp(np.repeat(first, times), np.repeat(second, times)).statistic)


def test_a_statistic_that_is_no_mean_is_stretched_like_one():
    """The mean itself, given as weighted means, gets about the interval that it has as a mean."""
    weights = draw_weights(6, 4000, seed=3)
    as_statistic = ends(calibrated(weights @ SUMS / 30, 30, 6), 0.95)
    assert as_statistic == pytest.approx((0.5, *score_interval(SUMS, FIVE, 0.95)), abs=0.02)
    assert ends(calibrated(np.ones(50), 20, 10), 0.95)[1] < 0.9  # nothing moves it, and ten people do not make it sure


def test_one_run_says_nothing_of_training_noise_and_two_that_agree_have_none():
    draws = mean_draws(draw_weights(6, 199, seed=3), SUMS, FIVE, seed=5)
    assert (over_runs([draws], seed=1) == draws).all()
    assert over_runs([draws, draws], seed=1) == pytest.approx(draws)


def test_training_noise_by_hand():
    """Three runs without any noise of people: the interval is Student's over the runs."""
    runs = [np.full(200, value) for value in (0.2, 0.4, 0.9)]
    value, low, high = ends(over_runs(runs, seed=1), 0.95)
    assert value == pytest.approx(0.5)
    half = 4.302653 * np.std([0.2, 0.4, 0.9], ddof=1) / np.sqrt(3)  # t at 0.975 with 2 degrees of freedom
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))


@pytest.mark.parametrize("runs", [3, 5])
@pytest.mark.parametrize("people", [5, 15])
def test_intervals_over_people_and_runs_hold_the_truth(people, runs):
    """People who differ in what is forgotten of them, and runs that differ for all people alike; 95 percent."""
    rng, held, people_alone = np.random.default_rng(people + runs), 0, 0
    for sample in range(200):
        own, training = rng.normal(0, 0.15, people), rng.normal(0, 0.1, runs)
        rates = np.clip(0.5 + own + training[:, None], 0, 1)
        weights = draw_weights(people, 199, sample)
        sums = rng.binomial(10, rates)
        drawn = [mean_draws(weights, row.astype(float), np.full(people, 10), run) for run, row in enumerate(sums)]
        _, low, high = ends(over_runs(drawn, sample), 0.95)
        held += low <= 0.5 <= high
        _, low, high = ends(np.mean(drawn, axis=0), 0.95)
        people_alone += low <= 0.5 <= high
    assert held / 200 >= 0.93
    assert people_alone < held


def test_absolute():
    assert absolute(np.array([-0.5, -0.7, 0.1])).tolist() == [0.5, 0.7, 0.0]
    assert absolute(np.array([0.5, 0.7, -0.1])).tolist() == [0.5, 0.7, 0.0]
    assert absolute(np.array([0.0, 0.2, -0.1])).tolist() == [0.0, 0.2, 0.1]


def test_ends():
    draws = np.array([0.5, 0.0, 0.25, 0.5, 0.75, 1.0, np.nan])
    assert ends(draws, 0.5) == (0.5, 0.125, 0.875)  # 1 of 4 below: five draws make six parts, 1.5 of them below
    assert np.isnan(ends(np.array([np.nan, 1.0]), 0.9)).all()
    # the value lies 0.25 above the median: the upper end moves by as much, and no farther than the range
    assert ends(np.array([0.75, 0.25, 0.5, 0.75]), 0.5) == (0.75, 0.25, 1.0)
    assert ends(np.array([0.75, 0.25, 0.5, 0.75]), 0.5, (0.0, 0.8))[2] == 0.8


def test_an_average_of_means_at_the_end_of_their_range_lies_in_its_interval():
    weights = draw_weights(6, 500, seed=3)
    draws = np.mean([mean_draws(weights, np.full(6, 5.0), FIVE, seed) for seed in range(12)], axis=0)
    value, low, high = ends(draws, 0.95, (0.0, 1.0))
    assert np.quantile(draws[1:], 0.975) < value == high == 1.0 and 0.8 < low < 1.0


@pytest.mark.parametrize("people", [5, 10, 15])
def test_intervals_of_composites_hold_the_truth(people):
    """Forgetting success, its gap and balance over the modalities, selectivity and retention, from 95 percent draws."""
    found = composite(people, "forgets faces", correlation=0.2, shared=0.5, samples=100)
    covered = {name: [held for (_, kind), (held, _) in found.items() if kind == name] for name in (PLAIN, IN_USE)}
    assert min(covered[IN_USE]) >= 0.92 and np.mean(covered[IN_USE]) >= 0.95
    assert min(covered[PLAIN]) < 0.9 and np.mean(covered[PLAIN]) < np.mean(covered[IN_USE])
