"""The Pareto front, by hand."""

import pytest

from manu.analysis.pareto import on_front


@pytest.mark.parametrize(
    ("costs", "gains", "expected"),
    [
        # (20, 50) and (60, 90) do not beat each other; (60, 40) is beaten by both, (70, 90) by the second
        ([20, 60, 60, 70], [50, 90, 40, 90], [True, True, False, False]),
        ([30, 30], [80, 80], [True, True]),  # alike: neither beats the other
        ([30, 30], [80, 79], [True, False]),  # one side alike is enough
        ([30, 29], [80, 80], [False, True]),
        ([5], [5], [True]),
        ([], [], []),
    ],
)
def test_what_no_other_beats_is_on_the_front(costs, gains, expected):
    assert on_front(costs, gains) == expected
