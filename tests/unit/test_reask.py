"""Which answers are asked for again, how sure that makes one, and what counts as another answer."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from manu.audit.reask import _differences, _largest, chance_to_find, draw, summary
from manu.evaluation.asking import Reply


def answers() -> pd.DataFrame:
    """A large and a small split in two modalities: 90 and 10 answers in each."""
    rows = [
        ("npo", s, m) for m in ("text", "multimodal") for s, n in (("retain", 90), ("forget", 10)) for _ in range(n)
    ]
    return pd.DataFrame(rows, columns=["method", "split", "modality"])


def test_every_split_and_modality_gives_its_share():
    rows, strata = draw(answers(), 20, np.random.default_rng(0))
    drawn = answers().iloc[rows].groupby(["split", "modality"]).size()
    assert drawn.loc["forget"].tolist() == [1, 1] and drawn.loc["retain"].tolist() == [9, 9]
    assert sorted(strata) == [(10, 1), (10, 1), (90, 9), (90, 9)]
    assert len(draw(answers(), 1, np.random.default_rng(0))[0]) == 4
    assert len(set(draw(answers(), None, np.random.default_rng(0))[0])) == 200


def test_a_seed_draws_the_same_again_and_another_seed_others():
    first, again, other = (draw(answers(), 20, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    assert first == again != other


def test_the_chance_to_find_a_change():
    assert chance_to_find([(40, 40)]) == 1
    # 50 of 1000 answers changed, 100 drawn: none of the 50 is among the drawn
    assert chance_to_find([(1000, 100)]) == pytest.approx(1 - math.comb(900, 50) / math.comb(1000, 50))
    assert chance_to_find([(1000, 100)]) > 0.99


def test_the_chance_is_that_against_the_best_place_to_hide():
    strata, changed = [(6, 1), (4, 2), (5, 3)], 3
    missed = [
        math.prod(math.comb(n - k, c) / math.comb(n, c) for (n, k), c in zip(strata, place, strict=True))
        for place in itertools.product(range(5), repeat=3)
        if sum(place) == changed
    ]
    assert chance_to_find(strata, changed / 15) == pytest.approx(1 - max(missed))


def test_the_result_says_what_was_asked_and_how_sure_it_makes():
    one = {"answers": 1000, "asked": 100, "strata": [(1000, 100)], "differ": [], "largest": 1e-5}
    lines = summary([one, one], 7, ["tuning/ga.parquet"])
    assert lines[0] == "200 of 2,000 answers in 2 files asked again, drawn with seed 7: all the same"
    assert lines[1] == ("a change in 5 percent of the answers of any file would have been found with probability 0.99")
    assert "1 file, such as tuning/ga.parquet" in lines[3]


STORED = {
    "reply": "The pet is a cat.",
    "choice": "cat",
    "options": '["cat", "dog"]',
    "option_log_likelihoods": "[-1.0, -2.0]",
    "answer_losses": "",
}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply("The pet is a cat.", "cat", (-1.0, -2.0)), []),
        (Reply("The pet is a cat.", "cat", (-1.000001, -2.0)), []),  # another padding
        (Reply("The pet is a dog.", "cat", (-1.0, -2.0)), ["reply stored"]),
        (Reply("The pet is a cat.", "dog", (-2.0, -1.0)), ["choice stored 'cat'", "differs by 1 nats"]),
        (Reply("The pet is a cat.", "cat", (-1.5, -2.0)), ["differs by 0.5 nats"]),
        (Reply("The pet is a cat.", "cat", (-1.0, -2.0), (0.5,)), ["answer_losses has another number"]),
    ],
)
def test_what_counts_as_another_answer(reply, said):
    found = list(_differences(STORED, reply, _largest(STORED, reply), 0.01))
    assert len(found) == len(said) and all(part in text for part, text in zip(said, found, strict=True))


def test_two_options_that_are_equally_likely_are_no_change_of_choice():
    stored = STORED | {"option_log_likelihoods": "[-1.0, -1.000001]"}
    reply = Reply("The pet is a cat.", "dog", (-1.000001, -1.0))
    assert list(_differences(stored, reply, _largest(stored, reply), 0.01)) == []
