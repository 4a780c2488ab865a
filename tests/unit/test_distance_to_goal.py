"""Standing by hand: accuracies of whole people, the aim at its bounds."""

import re

import numpy as np
import pandas as pd
import pytest

from manu.analysis.outcomes import ANSWER_COLUMNS
from manu.analysis.tables.distance_to_goal import COLUMNS, FORGET, Aim, distance_table, markdown_text, origin
from manu.evaluation.vocabulary import MODALITIES, REFERENCES

AIM = Aim(modality_gap=0.05, kept=0.984)
# accuracy on forget with the picture, by name, on retain, on celebrity
METHODS = {
    "vanilla": (1.0, 1.0, 1.0, 1.0),
    "retain_only": (0.2, 0.2, 1.0, 1.0),
    "good": (0.2, 0.2, 1.0, 1.0),
    "uneven": (0.2, 1.0, 1.0, 1.0),
    "blunt": (0.2, 0.2, 0.6, 0.8),
    "over": (0.0, 0.0, 1.0, 1.0),
}


def answers(methods: dict = METHODS) -> pd.DataFrame:
    rows = []
    for method, (picture, text, retain, celebrity) in methods.items():
        cells = [("forget", "multimodal", picture), ("forget", "text", text)]
        cells += [(s, m, a) for s, a in (("retain", retain), ("celebrity", celebrity)) for m in MODALITIES]
        for split, modality, accuracy in cells:
            for person in range(4):
                for number in range(5):  # everyone the same
                    question = f"{split}{person}/{modality}/{number}"
                    rows.append(
                        (
                            "s",
                            "m",
                            10,
                            0,
                            method,
                            split,
                            modality,
                            "classification",
                            f"{split}{person}",
                            question,
                            "x",
                            "",
                            "",
                            "",
                            float(number < round(5 * accuracy)),
                            np.nan,
                        )
                    )
    return pd.DataFrame(rows, columns=list(ANSWER_COLUMNS))


@pytest.fixture(scope="module")
def rows() -> dict[str, dict]:
    table = distance_table(answers(), AIM, resamples=20)
    assert list(table.columns) == list(COLUMNS)
    assert list(table["method"][:2]) == list(REFERENCES)
    return {row["method"]: row for row in table.to_dict("records")}


@pytest.mark.parametrize(
    ("method", "misses"),
    [
        ("retain_only", ""),
        ("good", ""),
        ("vanilla", "forget_multimodal forget_text"),  # it forgets nothing, evenly
        ("uneven", "forget_text modality_gap"),
        ("blunt", "kept_retain kept_celebrity"),
        ("over", "forget_multimodal forget_text"),  # less than never seen
    ],
)
def test_what_misses_the_aim(rows, method, misses):
    assert rows[method]["misses"] == misses
    assert rows[method]["meets"] == ("no" if misses else "yes")


def test_values_by_hand(rows):
    uneven, blunt = rows["uneven"], rows["blunt"]
    assert [uneven[name] for name in FORGET] == [0.2, 1.0]
    assert uneven["modality_gap"] == pytest.approx(1.0)  # (1 - 0.2) / (1 - 0.2) - 0
    assert [blunt[name] for name in ("kept_retain", "kept_celebrity")] == pytest.approx([0.6, 0.8])
    assert rows["over"]["modality_gap"] == 0.0


def test_a_value_inside_a_wide_interval_of_retain_only_counts_as_forgotten():
    table = answers()
    gold = (table["method"] == "retain_only") & (table["split"] == "forget")
    people = table.loc[gold, "profile_id"]
    table.loc[gold, "correct"] = people.isin(["forget0"]).astype(float)  # one person known, three not
    row = distance_table(table, AIM, resamples=200).set_index("method")
    low, high = row.loc["retain_only", ["forget_text_ci_low", "forget_text_ci_high"]]
    assert low < 0.2 < high
    assert "forget" not in row.loc["good", "misses"]
    assert "forget_text" in row.loc["uneven", "misses"]


def test_what_was_not_asked_misses():
    table = answers()
    row = distance_table(table[table["split"] != "celebrity"], AIM, resamples=20).set_index("method").loc["good"]
    assert row["misses"] == "kept_celebrity"
    assert np.isnan(row["kept_celebrity"])


def test_markdown_shows_each_row_with_its_intervals(rows):
    text = re.sub(" {2,}", " ", markdown_text(distance_table(answers(), AIM, resamples=20), AIM))
    assert "## m" in text
    uneven = next(line for line in text.splitlines() if "| uneven |" in line)
    shown = [[float(end) for end in re.findall(r"[\d.]+", cell)] for cell in uneven.split(" | ")[3:8]]
    assert [value for value, _, _ in shown] == [20.0, 100.0, 1.00, 100.0, 100.0]
    assert all(low < high and low <= value <= high for value, low, high in shown)
    assert uneven.endswith("| no | forget\\_text modality\\_gap |")


def test_origin_names_the_answers_behind_each_number():
    row = {"study": "s", "model": "m", "forget_ratio": "10", "seed": "0", "method": "x"}
    kept, gap, forget = (origin(row, name).where for name in ("kept_retain", "modality_gap_ci_low", "forget_text"))
    assert kept["method"] == ("x", "vanilla") and kept["split"] == ("retain",)
    assert gap["method"] == ("x", *REFERENCES) and gap["modality"] == MODALITIES
    assert forget["method"] == ("x",) and forget["modality"] == ("text",)
