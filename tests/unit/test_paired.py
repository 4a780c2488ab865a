"""Paired tests: p-values by hand for few people, and false alarms as rare as they say."""

import numpy as np
import pandas as pd
import pytest
from made_rows import answers

from manu.analysis.tables.paired_tests import COLUMNS, paired_p, paired_tests, smallest_p


def asked(marks: dict[str, list[float]]) -> pd.DataFrame:
    """One question per person on forget by name."""
    return answers(
        {"method": method, "split": "forget", "modality": "text", "profile_id": f"p{person:02d}", "correct": mark}
        | {"question_id": f"q{person}"}
        for method, given in marks.items()
        for person, mark in enumerate(given)
    )


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 1, 1], 2 / 8),  # of the 8 ways to set the signs two are as far from 0
        ([1, 1, 1, 1, 1], 2 / 32),
        ([1, -1], 1.0),
        ([2, -1], 1.0),  # |mean| is 0.5, and of the sums 3, 1, -1, -3 all are at least 1 in size
        ([0, 0, 0], 1.0),
        ([1], 1.0),
    ],
)
def test_p_values_by_hand(differences, p):
    assert paired_p(np.array(differences, dtype=float), seed=0) == pytest.approx(p)


def test_the_table():
    marks = {"a": [1.0] * 10, "b": [0.0] * 10, "c": [1.0] * 9 + [0.0]}
    table = paired_tests(asked(marks), ["a", "b", "c"])
    assert list(table.columns) == list(COLUMNS)
    assert table[["method", "other_method", "difference", "people"]].values.tolist() == [
        ["a", "b", 1.0, 10],
        ["a", "c", 0.1, 10],
        ["b", "c", -0.9, 10],
    ]
    # exact: 2/1024, 1 (one person of ten), 2/512; adjusted: p times 3 over its rank, never falling with the rank
    assert table["p_value"].tolist() == pytest.approx([2 / 1024, 1.0, 2 / 512], abs=1e-6)
    assert table["p_adjusted"].tolist() == pytest.approx([3 * 2 / 1024, 1.0, 3 / 2 * 2 / 512], abs=1e-6)
    assert table["significant"].tolist() == [True, False, True]
    again = paired_tests(asked(marks).sample(frac=1.0, random_state=3), ["a", "b", "c"])
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.parametrize("people", [1, 2, 5, 10, 11, 15])
def test_the_smallest_p_is_that_of_people_who_all_agree(people):
    p = paired_p(np.ones(people), seed=0)
    assert smallest_p(people) <= p and (people > 10 or smallest_p(people) == pytest.approx(p))
    assert smallest_p(people, resamples=99) == max(2 / 2**people, 2 / 100)


def test_where_no_test_can_be_significant_the_table_says_so():
    few, enough = (paired_tests(asked({"a": [1.0] * n, "b": [0.0] * n}), ["a", "b"]).iloc[0] for n in (5, 6))
    assert (few["smallest_p"], few["p_value"], few["significant"]) == (0.0625, 0.0625, False)
    assert few["reason"] == "too few people: p is at least 0.0625"
    assert (enough["smallest_p"], enough["significant"], enough["reason"]) == (0.03125, True, "")
    level = paired_tests(asked({"a": [1.0] * 5, "b": [0.0] * 5}), ["a", "b"], 0.9).iloc[0]
    assert level["significant"] and level["reason"] == ""


def test_two_equal_methods_are_seldom_told_apart():
    rng = np.random.default_rng(0)
    alarms = sum(paired_p(rng.choice([-1.0, 0.0, 1.0], 30), seed) < 0.05 for seed in range(200))
    assert alarms <= 20  # 10 are expected
