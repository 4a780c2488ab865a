"""The bootstrap over people."""

import warnings

import numpy as np
import pytest

from manu.analysis.intervals import bootstrap_interval, cell_seed


def test_the_seed_depends_on_the_keys_alone():
    assert cell_seed("mini", "llava", 5) == cell_seed("mini", "llava", 5) == 11838023221268497559
    assert cell_seed("mini", "llava", 5) != cell_seed("mini", "llava", 15)
    assert cell_seed("ab", "c") != cell_seed("a", "bc")


def test_the_same_seed_gives_the_same_interval():
    sums, counts = np.array([5.0, 0.0, 3.0, 1.0]), np.array([5, 5, 5, 5])
    first = bootstrap_interval(sums, counts, seed=1)
    assert first == bootstrap_interval(sums, counts, seed=1)
    assert 0.0 <= first[0] < 9 / 20 < first[1] <= 1.0


def test_two_people_by_hand():
    # Both right, both wrong or one each: 1/4, 1/4 and 1/2 of the resamples, so that 95 percent span all.
    assert bootstrap_interval(np.array([5.0, 0.0]), np.array([5, 5]), seed=0) == (0.0, 1.0)
    # 40 percent leave out both ends.
    assert bootstrap_interval(np.array([5.0, 0.0]), np.array([5, 5]), level=0.4, seed=0) == (0.5, 0.5)


def test_people_are_drawn_not_answers():
    # 20 people who are wholly right or wholly wrong, five answers each: the standard error of the mean is
    # sqrt(0.25 / 20) = 0.112; that of 100 independent answers would be 0.05.
    sums, counts = np.repeat([5.0, 0.0], 10), np.full(20, 5)
    low, high = bootstrap_interval(sums, counts, seed=3)
    assert (high - low) / (2 * 1.96) == pytest.approx(0.112, abs=0.015)


def test_people_weigh_by_their_answers():
    # A person with 98 answers, all right, and two with one, both wrong.
    low, high = bootstrap_interval(np.array([98.0, 0.0, 0.0]), np.array([98, 1, 1]), seed=0)
    assert (low, high) == (0.0, 1.0)  # none of the first in (2/3)^3, only the first in (1/3)^3 of the resamples


@pytest.mark.parametrize(
    ("sums", "counts", "value"),
    [([3.0], [4], 0.75), ([5.0, 5.0, 5.0], [5, 5, 5], 1.0), ([1.0, 2.0], [2, 4], 0.5)],
)
def test_without_spread_the_interval_is_the_value(sums, counts, value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bootstrap_interval(np.array(sums), np.array(counts)) == (value, value)


@pytest.mark.parametrize(("sums", "counts"), [([], []), ([1.0], [1, 1]), ([0.0, 1.0], [0, 1])])
def test_nobody_or_a_person_without_answers_is_an_error(sums, counts):
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval(np.array(sums), np.array(counts))
