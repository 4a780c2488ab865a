"""Outcomes by hand: four people, known accuracies and option likelihoods."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from made_rows import answers
from scipy.spatial.distance import jensenshannon

from manu.analysis.outcomes import (
    BOTH,
    OUTCOMES,
    balanced,
    option_probabilities,
    outcomes,
    truth_ratios,
)
from manu.core.errors import UserError
from manu.evaluation.vocabulary import MODALITIES

OPTIONS = json.dumps(["red", "green", "blue", "black"])


def likelihoods(*probabilities: float) -> str:
    return json.dumps([math.log(p) for p in probabilities])


def asked() -> pd.DataFrame:
    """Accuracy on forget: vanilla 1, retain_only 0.25, x 0.5 with the picture and 1 by name."""
    right = {
        ("vanilla", "multimodal"): [1, 1, 1, 1],
        ("vanilla", "text"): [1, 1, 1, 1],
        ("retain_only", "multimodal"): [1, 0, 0, 0],
        ("retain_only", "text"): [1, 0, 0, 0],
        ("x", "multimodal"): [1, 1, 0, 0],
        ("x", "text"): [1, 1, 1, 1],
    }
    logs = {
        "vanilla": likelihoods(0.1, 0.7, 0.1, 0.1),
        "retain_only": likelihoods(0.25, 0.25, 0.25, 0.25),
        "x": likelihoods(0.2, 0.4, 0.2, 0.2),
    }
    rows = []
    for (method, modality), marks in right.items():
        chosen = {"task": "classification", "options": OPTIONS, "option_log_likelihoods": logs[method]}
        for person, mark in enumerate(marks):
            kept = 0.0 if (method, person) == ("x", 3) else 1.0
            for split, said in (
                ("forget", chosen | {"correct": float(mark)}),
                ("forget", {"task": "cloze", "correct": 1.0 - mark}),
                ("forget", {"task": "generation", "rougeL": 0.25}),
                ("retain", chosen | {"correct": kept}),
            ):
                about = {"method": method, "split": split, "modality": modality, "profile_id": f"{split}{person}"}
                question = {"question_id": f"{split}/{person}/{modality}/{said['task']}", "reference": "green"}
                rows.append(about | question | said)
    return answers(rows)


def values(table: pd.DataFrame, method: str) -> dict:
    chosen = table[table["method"] == method].set_index(["metric", "split", "modality"])
    return chosen["value"].to_dict()


def test_probabilities_and_truth_ratios():
    logs = np.log([[0.2, 0.4, 0.1, 0.1], [0.5, 0.5, 0.5, 0.5]])
    probabilities = option_probabilities(logs)
    assert np.allclose(probabilities, [[0.25, 0.5, 0.125, 0.125], [0.25] * 4])
    assert np.allclose(truth_ratios(probabilities, np.array([1, 0])), [(0.5 / 3) / 0.5, 1.0])


def test_outcomes_by_hand():
    got = values(outcomes(asked(), resamples=20), "x")
    assert got["forgetting_success", "forget", "multimodal"] == pytest.approx((1 - 0.5) / 0.75, abs=1e-6)
    assert got["forgetting_success", "forget", "text"] == 0.0
    assert got["forgetting_success", "forget", BOTH] == pytest.approx(1 / 3, abs=1e-6)
    assert got["modality_gap", "forget", BOTH] == pytest.approx(2 / 3, abs=1e-6)
    assert got["balanced_forgetting", "forget", BOTH] == 0.0
    assert got["retention", "retain", BOTH] == 0.75
    assert got["answer_probability", "forget", "text"] == pytest.approx(0.4)
    assert got["truth_ratio", "forget", "text"] == pytest.approx(0.5)
    assert got["truth_ratio", "retain", "text"] == pytest.approx(0.5)
    js = jensenshannon([0.2, 0.4, 0.2, 0.2], [0.25] * 4, base=2)
    assert got["js_distance", "forget", "multimodal"] == pytest.approx(js, abs=1e-6)
    assert got["ks_statistic", "forget", "multimodal"] == 1.0  # all of x's ratios are 0.5, all of retain_only's are 1
    known = np.mean([0.5, 0.5, 0.25, 1.0, 0.0, 0.25])
    expected = np.mean([1 - known, 0.5, 1 - 0.4, 0.0, 1 - js])
    assert got["forget_quality", "forget", BOTH] == pytest.approx(expected, abs=1e-6)
    assert got["model_utility", "retain", BOTH] == 0.75


def test_the_references_are_the_ends_of_the_scale():
    table = outcomes(asked(), resamples=20)
    vanilla, gold = values(table, "vanilla"), values(table, "retain_only")
    for modality in (*MODALITIES, BOTH):
        assert vanilla["forgetting_success", "forget", modality] == 0.0
        assert gold["forgetting_success", "forget", modality] == 1.0
    assert gold["js_distance", "forget", "text"] == gold["ks_statistic", "forget", "text"] == 0.0
    assert gold["balanced_forgetting", "forget", BOTH] == 1.0


def test_intervals_hold_the_value_and_methods_share_the_draws():
    table = outcomes(asked(), resamples=200)
    defined = table.dropna(subset=["value", "ci_low"])
    assert (defined["ci_low"] <= defined["value"] + 1e-6).all() and (
        defined["value"] <= defined["ci_high"] + 1e-6
    ).all()
    assert set(table["metric"]) == set(OUTCOMES)
    again = outcomes(asked().sample(frac=1.0, random_state=1), resamples=200)
    pd.testing.assert_frame_equal(table, again)


def test_balanced():
    assert balanced(np.array([1.0, 0.5, 0.0, 2.0, -1.0]), np.array([1.0, 1.0, 0.0, 0.5, 1.0])).tolist() == [
        1.0,
        2 / 3,
        0.0,
        2 / 3,
        0.0,
    ]


def test_where_vanilla_knows_no_more_than_gold_success_is_not_defined():
    frame = asked()
    frame.loc[(frame["method"] == "vanilla") & (frame["split"] == "forget"), "correct"] = 0.0
    got = outcomes(frame, resamples=20)
    chosen = got[(got["metric"] == "forgetting_success") & (got["method"] == "x")]
    assert chosen["value"].isna().all()


def test_without_likelihoods_what_rests_on_them_is_left_out():
    got = outcomes(asked().assign(option_log_likelihoods=""), resamples=20)
    assert set(got["metric"]) == {
        "forgetting_success",
        "modality_gap",
        "balanced_forgetting",
        "retention",
        "model_utility",
    }


def test_what_does_not_fit_is_said():
    with pytest.raises(UserError, match="hold no 'retain_only'"):
        outcomes(asked()[lambda f: f["method"] != "retain_only"], resamples=5)
    with pytest.raises(UserError, match="x was not asked the questions that retain_only was asked"):
        frame = asked()
        frame.loc[(frame["method"] == "x") & (frame["profile_id"] == "forget0"), "question_id"] += "?"
        outcomes(frame, resamples=5)
