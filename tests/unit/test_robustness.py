"""The table of attacks, by hand."""

import numpy as np
import pandas as pd
import pytest

from manu.analysis.attacks import paired_facts, robustness_table
from manu.analysis.cells import csv_text
from manu.analysis.tables import robustness
from manu.core.errors import UserError

RUN = {"model": "llava", "forget_ratio": 10, "seed": 0}
PEOPLE = ("ada", "bo")
MARKS = {  # right or wrong of (ada's facts, bo's facts), four each, with the picture and by name
    "vanilla": ("1111 1110", "1111 1111"),
    "retain_only": ("0000 0001", "1000 0000"),
    "ga": ("0000 1010", "1100 1111"),
}


def asked(method: str, split: str, modality: str, marks: str, **more) -> list[dict]:
    """One row for each mark, three classification questions and a cloze of each person."""
    rows = []
    for person, own in zip(PEOPLE, marks.split(), strict=True):
        for number, mark in enumerate(own):
            task, number = ("cloze", 0) if number == 3 else ("classification", number)
            name = f"Full_Set/{person}/{modality}/{task}/{number}"
            keys = {"split": split, "modality": modality, "task": task, "profile_id": person, "question_id": name}
            said = {"reference": f"{task} {number}", "correct": float(mark)}
            rows.append(RUN | {"method": method} | keys | said | more)
    return rows


def stored() -> pd.DataFrame:
    rows = []
    for method, (picture, text) in MARKS.items():
        rows += asked(method, "forget", "multimodal", picture) + asked(method, "forget", "text", text)
        rows += asked(method, "retain", "text", "1110 1110")
    return pd.DataFrame(rows)


def attacked() -> pd.DataFrame:
    rows = []
    for method in MARKS:
        known = {"vanilla": "1111 1111", "retain_only": "0000 0000", "ga": "0001 1100"}[method]
        rows += asked(method, "forget", "text", known, attack="rounding", condition="4 bits")
        for steps, marks in ((0, "0000 0000"), (5, "1000 0000"), (20, "1100 1000")):
            condition = f"forget lessons, {steps} steps"
            rows += asked(method, "forget", "text", marks, attack="relearning", condition=condition)
    return pd.DataFrame([row for row in rows if row["task"] == "classification"])


def signals() -> pd.DataFrame:
    rows = []
    for method in MARKS:
        for person, values in (("ada", (3.0, 2.0)), ("bo", (0.0, 0.0)), ("eve", (1.0, 2.0)), ("flo", (2.0, 1.0))):
            split = "forget" if person in PEOPLE else "unseen"
            for number, value in enumerate(values):
                keys = {"attack": "membership", "condition": "loss", "split": split, "modality": "text"}
                name = {"profile_id": person, "question_id": f"{person}/{number}", "value": value}
                rows.append(RUN | {"method": method} | keys | name)
    for split in ("forget", "retain"):
        keys = {"attack": "probe", "condition": "end of prompt", "split": split, "modality": "text"}
        rows += [
            RUN | {"method": method} | keys | {"profile_id": person, "question_id": "q", "value": float(person == "bo")}
            for method in MARKS
            for person in PEOPLE
        ]
    return pd.DataFrame(rows)


def table(**changed) -> pd.DataFrame:
    given = {"stored": stored(), "answers": attacked(), "signals": signals()} | changed
    return robustness_table(**given, resamples=200)


def value(rows: pd.DataFrame, method: str, attack: str, condition: str = "all", **where) -> float:
    chosen = rows[(rows["method"] == method) & (rows["attack"] == attack) & (rows["condition"] == condition)]
    for column, wanted in where.items():
        chosen = chosen[chosen[column] == wanted]
    (found,) = chosen["value"]
    return found


def test_facts_pair_up_across_modalities():
    ga = stored()[lambda rows: (rows["method"] == "ga") & (rows["split"] == "forget")]
    facts = paired_facts(ga).set_index(["profile_id", "task", "number"])
    assert len(facts) == 8
    assert facts.loc[("bo", "classification", "0"), ["multimodal", "text"]].tolist() == [1, 1]
    assert facts.loc[("ada", "cloze", "0"), ["multimodal", "text"]].tolist() == [0, 0]
    other = ga.assign(reference=ga["reference"].where(ga["modality"] == "text", "something else"))
    assert paired_facts(other).empty  # the same number, but another fact


def test_what_each_attack_gets_by_hand():
    rows = table()
    assert list(rows.columns) == list(robustness.COLUMNS)
    assert value(rows, "ga", "none", "none", split="forget", modality="text") == pytest.approx(5 / 6, abs=1e-6)
    assert value(rows, "ga", "rounding", "4 bits") == pytest.approx(2 / 6, abs=1e-6)
    # by picture ga lost all four of ada's facts (two of them she is still known for by name) and, of the three of
    # bo's that vanilla knew by picture, one; that one is known by name
    leaked = {"condition": "not by picture, but by name", "attack": "leakage", "method": "ga"}
    assert value(rows, **leaked) == pytest.approx(3 / 5, abs=1e-6)
    assert value(rows, "ga", "leakage", "not by name, but by picture") == 0.0  # ada's other two, lost in both
    assert np.isnan(value(rows, "vanilla", "leakage", "not by picture, but by name"))
    # pairs of ada 3 and 2, bo 0 and 0 with 1, 2, 2, 1: 4 + (2 + two halves) + 0 + 0 of 16
    assert value(rows, "ga", "membership", "loss") == pytest.approx(7 / 16)
    assert value(rows, "ga", "probe", "end of prompt", split="forget") == 0.5


def test_resistance_and_robustness_by_hand():
    rows = table()
    resisted = {name: value(rows, "ga", name) for name in ("rounding", "leakage", "relearning", "probe", "membership")}
    assert resisted == pytest.approx(
        {
            "rounding": 1 - 2 / 6,
            "leakage": 1 - (3 / 5 + 0) / 2,
            "relearning": 1 - 3 / 6,  # after the most steps
            "probe": 1 - 1 / 2,
            "membership": 1 - abs(2 * 7 / 16 - 1),
        },
        abs=1e-6,
    )
    assert value(rows, "ga", "all") == pytest.approx(sum(resisted.values()) / 5, abs=1e-6)
    without = rows[(rows["method"] == "vanilla") & (rows["metric"] == "resistance")]
    assert "leakage" not in set(without["attack"])  # nothing was forgotten: nothing can leak
    ends = rows.dropna()
    assert ((ends["ci_low"] <= ends["value"] + 1e-6) & (ends["value"] <= ends["ci_high"] + 1e-6)).all()


def test_a_model_that_the_study_did_not_ask_is_named():
    with pytest.raises(UserError, match="ga was attacked, but the study's own answers of llava have none"):
        table(stored=stored()[lambda rows: rows["method"] != "ga"])


def test_the_same_whatever_the_order_of_the_rows():
    shuffled = {
        name: frame.sample(frac=1, random_state=0) for name, frame in {"stored": stored(), "signals": signals()}.items()
    }
    text = csv_text(table())
    assert csv_text(table(stored=shuffled["stored"])) == text
