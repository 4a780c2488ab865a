"""The table of an ablation by hand."""

import numpy as np
import pandas as pd
import pytest

from manu.analysis.cells import csv_text
from manu.analysis.tables.ablation import COLUMNS, SELECTIVITY, ablation_table


def answers() -> pd.DataFrame:
    marks = {
        ("vanilla", "forget"): [1, 1],
        ("vanilla", "retain"): [1, 1, 1, 1],
        ("half", "forget"): [1, 0],
        ("half", "retain"): [1, 1, 1, 0],
        ("all", "forget"): [0, 0],
        ("all", "retain"): [0, 0, 0, 0],
    }
    rows = [
        ("m", 10, 0, method, split, modality, task, f"{split}{person}", float(mark))
        for (method, split), given in marks.items()
        for person, mark in enumerate(given)
        for modality in ("multimodal", "text")
        for task in ("classification", "cloze")
    ]
    keys = ["model", "forget_ratio", "seed", "method", "split", "modality", "task", "profile_id", "correct"]
    return pd.DataFrame(rows, columns=keys)


def test_accuracy_and_selectivity_by_hand():
    table = ablation_table(answers(), {"half": 50.0, "all": 99.0}, resamples=200, level=0.95)
    assert list(table.columns) == list(COLUMNS)
    assert list(dict.fromkeys(table["method"])) == ["vanilla", "half", "all"]
    text = table[table["modality"] == "text"].set_index(["method", "split"])
    assert text.loc["half", "accuracy"].to_dict() == {"forget": 0.5, "retain": 0.75, SELECTIVITY: 0.25}
    assert text.loc["half", "n"].to_dict() == {"forget": 2, "retain": 4, SELECTIVITY: 6}
    assert text.loc["all", "accuracy"].to_dict() == {"forget": 0.0, "retain": 0.0, SELECTIVITY: 0.0}
    low, high = text.loc[("half", SELECTIVITY), ["ci_low", "ci_high"]]
    assert low < 0 < 0.25 < high
    assert (table.loc[table["method"] == "vanilla", "prune_ratio"] == 0).all()
    assert "half,50," in csv_text(table)


def test_neurons_at_random_are_as_selective_as_chance():
    """Forget and retain people suffer alike: the interval of the difference holds 0 about as often as it says."""
    rng = np.random.default_rng(5)
    held = 0
    for trial in range(100):
        rows = [
            ("m", 10, trial, "random", split, "text", "classification", f"{split}{person}", float(rng.random() < 0.7))
            for split, people in (("forget", 20), ("retain", 80))
            for person in range(people)
            for _ in range(5)
        ]
        keys = ["model", "forget_ratio", "seed", "method", "split", "modality", "task", "profile_id", "correct"]
        table = ablation_table(pd.DataFrame(rows, columns=keys), {"random": 30.0}, 200, 0.9)
        low, high = table.loc[table["split"] == SELECTIVITY, ["ci_low", "ci_high"]].iloc[0]
        held += low <= 0 <= high
    assert held / 100 == pytest.approx(0.9, abs=0.08)
