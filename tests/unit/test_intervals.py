"""Intervals of means over people: by hand, against scipy, and how often they hold the truth."""

import warnings

import numpy as np
import pytest
from scipy import stats

from benchmarks.coverage import PERCENTILE, USED, intervals, simulated
from manu.analysis.intervals import Mean, cell_seed, score_interval, t_interval


def test_the_seed_depends_on_the_keys_alone():
    assert cell_seed("mini", "llava", 5) == cell_seed("mini", "llava", 5) == 11838023221268497559
    assert cell_seed("mini", "llava", 5) != cell_seed("mini", "llava", 15)
    assert cell_seed("ab", "c") != cell_seed("a", "bc")


def test_the_variance_is_that_between_people():
    mean = Mean.of(np.array([5.0, 0.0, 2.0]), np.array([5, 5, 5]))
    assert mean.variance == pytest.approx(np.var([1.0, 0.0, 0.4], ddof=1) / 3)
    assert (mean.value, mean.answers, mean.people, mean.freedom) == (pytest.approx(7 / 15), 15, 3, 2)
    # who was not asked does not count
    assert Mean.of(np.array([5.0, 0.0, 2.0, 0.0]), np.array([5, 5, 5, 0])) == mean


def test_effective_answers_by_hand():
    # two of four people know everything: variance 4/3 * 4 * 2.5^2 / 20^2 = 1/12 against 1/80 of independent answers;
    # ten answers of the rarer kind show this 6 2/3, one more stands for 1 + 4/2
    known = Mean.of(np.array([5.0, 0.0, 5.0, 0.0]), np.full(4, 5))
    assert known.effective_answers == pytest.approx(20 / ((10 * 20 / 3 + 3) / 11))
    assert known.assumed == pytest.approx(3 / (10 * 20 / 3 + 3))
    # everybody is alike: all that is known is assumed
    alike = Mean.of(np.full(4, 5.0), np.full(4, 5))
    assert (alike.effective_answers, alike.assumed) == (20 / 3, 1.0)


@pytest.mark.parametrize("right", [0, 3, 10])
def test_the_bounds_are_wilsons(right):
    independent = Mean(right / 10, float("nan"), 10, 10)  # one answer per person
    assert independent.effective_answers == 10
    expected = stats.binomtest(right, 10).proportion_ci(method="wilson")
    assert independent.bounds(stats.norm.ppf([0.025, 0.975])) == pytest.approx([expected.low, expected.high])


def test_the_interval_takes_t_with_the_number_of_people():
    sums, counts = np.array([5.0, 1.0, 3.0, 4.0, 2.0]), np.full(5, 5)
    low, high = score_interval(sums, counts, 0.9)
    mean = Mean.of(sums, counts)
    for end, quantile in ((low, stats.t.ppf(0.05, 4)), (high, stats.t.ppf(0.95, 4))):
        assert (end - mean.value) / np.sqrt(end * (1 - end) / mean.effective_answers) == pytest.approx(quantile)


def test_a_mean_without_a_range_has_students_interval():
    values = np.array([3.0, 4.5, 7.25, 4.0])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert t_interval(values, np.ones(4), 0.9) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("people", [1, 2, 5, 10, 15, 90])
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_where_everybody_is_alike_the_interval_has_a_width(people, value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = score_interval(np.full(people, 5 * value), np.full(people, 5))
    assert 0 <= low <= value <= high <= 1 and high - low > 0.01
    assert high - low > 0.9 or people > 1  # one person says next to nothing about others
    more = score_interval(np.full(5 * people, 5 * value), np.full(5 * people, 5))
    assert more[1] - more[0] < high - low


def test_one_person_has_no_t_interval():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(t_interval(np.array([3.0]), np.array([2]))).all()


@pytest.mark.parametrize("interval", [score_interval, t_interval])
@pytest.mark.parametrize(
    ("sums", "counts", "said"), [([], [], "at least one"), ([1.0], [1, 1], "1 sums, but 2 counts")]
)
def test_nobody_or_another_number_of_people_is_an_error(interval, sums, counts, said):
    with pytest.raises(ValueError, match=said):
        interval(np.array(sums), np.array(counts))


@pytest.mark.parametrize("people", [5, 10, 15])
def test_intervals_hold_the_truth_as_often_as_they_say(people):
    """95 percent intervals over 5, 10 and 15 people, five answers each. The percentile
    bootstrap does not reach 95 percent anywhere (all cells: `make bench ONLY=coverage`)."""
    covered: dict[str, list[float]] = {PERCENTILE: [], USED: []}
    for rate in (0.02, 0.25, 0.5, 0.9, 0.98):
        for correlation in (0.0, 0.2, 0.5):
            rng = np.random.default_rng(cell_seed(people, rate, correlation))
            found = intervals(simulated("classification", people, rate, correlation, 500, rng), rng)
            for name in covered:
                low, high = found[name]
                covered[name].append(float(((low <= rate) & (rate <= high)).mean()))
    assert min(covered[USED]) >= 0.93 and np.mean(covered[USED]) >= 0.95
    assert max(covered[PERCENTILE]) < 0.95 and np.mean(covered[PERCENTILE]) < 0.85
