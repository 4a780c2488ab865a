"""Outcomes by hand: four people, known accuracies and option likelihoods."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from manu.analysis.outcomes import (
    ANSWER_COLUMNS,
    BOTH,
    OUTCOMES,
    balanced,
    option_probabilities,
    option_truth_ratios,
    outcomes,
)
from manu.core.errors import UserError
from manu.evaluation.vocabulary import MODALITIES

OPTIONS = json.dumps(["red", "green", "blue", "black"])


def likelihoods(*probabilities: float) -> str:
    return json.dumps([math.log(p) for p in probabilities])


def row(method, split, modality, task, person, correct=float("nan"), rouge=float("nan"), logs="", losses="") -> tuple:
    return (
        "s",
        "m",
        10,
        0,
        method,
        split,
        modality,
        task,
        person,
        f"{split}/{person}/{modality}/{task}",
        "green",
        OPTIONS if task == "classification" else "",
        logs,
        losses,
        correct,
        rouge,
    )


def answers() -> pd.DataFrame:
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
        for person, mark in enumerate(marks):
            rows.append(row(method, "forget", modality, "classification", f"f{person}", float(mark), logs=logs[method]))
            rows.append(row(method, "forget", modality, "cloze", f"f{person}", 1.0 - mark))
            rows.append(row(method, "forget", modality, "generation", f"f{person}", rouge=0.25))
            kept = 0.0 if (method, person) == ("x", 3) else 1.0
            rows.append(row(method, "retain", modality, "classification", f"r{person}", kept, logs=logs[method]))
    return pd.DataFrame(rows, columns=list(ANSWER_COLUMNS))


def told() -> pd.DataFrame:
    """As `answers`, with questions of the Test set, cloze and generation on retain, and losses of five answers each."""
    rng, more = np.random.default_rng(0), []
    for method in ("vanilla", "retain_only", "x"):
        for modality in MODALITIES:
            for person in range(4):
                for split in ("test", "retain"):
                    name = f"{'f' if split == 'test' else 'r'}{person}"
                    mark = float(rng.integers(2))
                    if split == "test":
                        more.append(
                            row(method, split, modality, "classification", name, mark, logs=likelihoods(*[0.25] * 4))
                        )
                    more.append(row(method, split, modality, "cloze", name, 1.0 - mark))
                    more.append(row(method, split, modality, "generation", name, rouge=rng.uniform()))
    frame = pd.concat([answers(), pd.DataFrame(more, columns=list(ANSWER_COLUMNS))], ignore_index=True)
    losses = [json.dumps(rng.uniform(0.1, 3.0, 5).tolist()) for _ in range(len(frame))]
    return frame.assign(answer_losses=np.where(frame["task"] == "generation", losses, ""))


def values(table: pd.DataFrame, method: str) -> dict:
    chosen = table[table["method"] == method].set_index(["metric", "split", "modality"])
    return chosen["value"].to_dict()


def test_probabilities_and_truth_ratios():
    logs = np.log([[0.2, 0.4, 0.1, 0.1], [0.5, 0.5, 0.5, 0.5]])
    probabilities = option_probabilities(logs)
    assert np.allclose(probabilities, [[0.25, 0.5, 0.125, 0.125], [0.25] * 4])
    assert np.allclose(option_truth_ratios(probabilities, np.array([1, 0])), [(0.5 / 3) / 0.5, 1.0])


def test_outcomes_by_hand():
    got = values(outcomes(answers(), resamples=20), "x")
    assert got["forgetting_success", "forget", "multimodal"] == pytest.approx((1 - 0.5) / 0.75, abs=1e-6)
    assert got["forgetting_success", "forget", "text"] == 0.0
    assert got["forgetting_success", "forget", BOTH] == pytest.approx(1 / 3, abs=1e-6)
    assert got["modality_gap", "forget", BOTH] == pytest.approx(2 / 3, abs=1e-6)
    assert got["balanced_forgetting", "forget", BOTH] == 0.0
    assert got["retention", "retain", BOTH] == 0.75
    assert got["option_probability", "forget", "text"] == pytest.approx(0.4)
    assert got["option_truth_ratio", "forget", "text"] == pytest.approx(0.5)
    assert got["option_truth_ratio", "retain", "text"] == pytest.approx(0.5)
    js = jensenshannon([0.2, 0.4, 0.2, 0.2], [0.25] * 4, base=2)
    assert got["option_js_to_retain_only", "forget", "multimodal"] == pytest.approx(js, abs=1e-6)
    assert (
        got["option_ks_to_retain_only", "forget", "multimodal"] == 1.0
    )  # all of x's ratios are 0.5, all of retain_only's are 1
    known = np.mean([0.5, 0.5, 0.25, 1.0, 0.0, 0.25])
    expected = np.mean([1 - known, 0.5, 1 - 0.4, 0.0, 1 - js])
    assert got["option_forget_score", "forget", BOTH] == pytest.approx(expected, abs=1e-6)
    assert got["retain_utility", "retain", BOTH] == 0.75


def test_the_published_measures_by_their_formulas():
    """Every one computed here from the losses, by the published formula alone."""
    frame = told()
    got = values(outcomes(frame, resamples=20), "x")
    mine = frame[(frame["method"] == "x") & (frame["task"] == "generation")]

    def losses(split: str, modality: str) -> np.ndarray:
        cell = mine[(mine["split"] == split) & (mine["modality"] == modality)]
        return np.array([json.loads(text) for text in cell["answer_losses"]])

    def ratios(split: str, modality: str) -> np.ndarray:
        each = losses(split, modality)
        return np.exp((each[:, 0] + each[:, 1]) / 2 - each[:, 2:].sum(axis=1) / 3)

    expected = {}
    for modality in MODALITIES:
        for split in ("forget", "test", "retain"):
            expected["answer_probability", split, modality] = np.exp(-losses(split, modality)[:, 0]).mean()
            ratio = ratios(split, modality)
            kept = np.maximum(0, 1 - ratio) if split == "retain" else np.minimum(ratio, 1 / ratio)
            expected["truth_ratio", split, modality] = kept.mean()
        for split in ("forget", "test"):
            one, other = ratios(split, modality), ratios("retain", modality)
            expected["ks_statistic", split, modality] = ks_2samp(one, other).statistic
            both = np.concatenate([one, other])
            counts = [np.histogram(each, bins=50, range=(both.min(), both.max()))[0] + 1e-12 for each in (one, other)]
            expected["js_distance", split, modality] = jensenshannon(*counts)
    tasks = {"classification": "correct", "cloze": "correct", "generation": "rougeL"}
    asked = frame[(frame["method"] == "x") & (frame["modality"] == "multimodal")]
    by_task = [
        1 - asked.loc[(asked["split"] == split) & (asked["task"] == task), column].mean()
        for split in ("forget", "test")
        for task, column in tasks.items()
    ]
    names = ("answer_probability", "ks_statistic", "js_distance")
    low = [1 - expected[name, "forget", "multimodal"] for name in names]
    parts = [np.mean(by_task), expected["truth_ratio", "forget", "multimodal"], *low]
    expected["forget_quality", "forget", "multimodal"] = np.mean(parts)
    for key, value in expected.items():
        assert got[key] == pytest.approx(value, abs=2e-6), key
    there = {key for key in got if key[0] in {name for name, *_ in expected}}
    assert there == set(expected)


def test_retain_only_is_not_at_zero_in_the_published_measures():
    """They compare two splits of one model; the options' distances compare a model with retain_only."""
    gold = values(outcomes(told(), resamples=5), "retain_only")
    assert gold["ks_statistic", "forget", "text"] > 0 and gold["js_distance", "forget", "text"] > 0


def test_without_variants_only_the_probability_of_the_answer_is_left():
    frame = told()
    first = frame["answer_losses"].map(lambda text: json.dumps(json.loads(text)[:1]) if text else "")
    got = outcomes(frame.assign(answer_losses=first), resamples=5)
    assert "answer_probability" in set(got["metric"])
    assert not {"truth_ratio", "ks_statistic", "js_distance", "forget_quality"} & set(got["metric"])


def test_a_composite_with_a_missing_part_is_left_out():
    frame = told()
    got = outcomes(frame[(frame["split"] != "test") | (frame["task"] != "cloze")], resamples=5)
    assert "ks_statistic" in set(got["metric"]) and "forget_quality" not in set(got["metric"])


def test_the_direction_of_what_measures_knowledge_is_reversed_on_forget():
    table = outcomes(told(), resamples=5).set_index(["metric", "split"])["higher_is_better"]
    for metric in ("answer_probability", "option_probability"):
        assert not table.loc[metric, "forget"].any() and not table.loc[metric, "test"].any()
        assert table.loc[metric, "retain"].all()


def test_the_references_are_the_ends_of_the_scale():
    table = outcomes(answers(), resamples=20)
    vanilla, gold = values(table, "vanilla"), values(table, "retain_only")
    for modality in (*MODALITIES, BOTH):
        assert vanilla["forgetting_success", "forget", modality] == 0.0
        assert gold["forgetting_success", "forget", modality] == 1.0
    assert (
        gold["option_js_to_retain_only", "forget", "text"] == gold["option_ks_to_retain_only", "forget", "text"] == 0.0
    )
    assert gold["balanced_forgetting", "forget", BOTH] == 1.0


def test_intervals_hold_the_value_and_methods_share_the_draws():
    table = outcomes(told(), resamples=200)
    defined = table.dropna(subset=["value", "ci_low"])
    assert (defined["ci_low"] <= defined["value"] + 1e-6).all() and (
        defined["value"] <= defined["ci_high"] + 1e-6
    ).all()
    assert set(table["metric"]) == set(OUTCOMES)
    again = outcomes(told().sample(frac=1.0, random_state=1), resamples=200)
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
    frame = answers()
    frame.loc[(frame["method"] == "vanilla") & (frame["split"] == "forget"), "correct"] = 0.0
    got = outcomes(frame, resamples=20)
    chosen = got[(got["metric"] == "forgetting_success") & (got["method"] == "x")]
    assert chosen["value"].isna().all()


def test_without_likelihoods_what_rests_on_them_is_left_out():
    got = outcomes(answers().assign(option_log_likelihoods=""), resamples=20)
    assert set(got["metric"]) == {
        "forgetting_success",
        "modality_gap",
        "balanced_forgetting",
        "retention",
        "retain_utility",
    }


def test_what_does_not_fit_is_said():
    with pytest.raises(UserError, match="hold no 'retain_only'"):
        outcomes(answers()[lambda f: f["method"] != "retain_only"], resamples=5)
    with pytest.raises(UserError, match="x was not asked the questions that retain_only was asked"):
        frame = answers()
        frame.loc[(frame["method"] == "x") & (frame["profile_id"] == "f0"), "question_id"] += "?"
        outcomes(frame, resamples=5)


def test_every_number_has_an_origin():
    table = outcomes(told(), resamples=5)
    frame = told()
    for row_ in table.astype(str).to_dict("records"):
        where = OUTCOMES[row_["metric"]].origin(row_).where
        found = frame
        for column, allowed in where.items():
            found = found[found[column].isin(allowed)]
        assert row_["method"] in set(found["method"]) and len(found)
