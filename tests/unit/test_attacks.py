"""Attacks on a model: each by hand, then all of them by the stage on a tiny model."""

import io
import zlib
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import mannwhitneyu
from torch import nn

from manu.analysis.resampling import weighted_auc
from manu.attacks.membership import SCORES, membership_scores, token_scores
from manu.attacks.pictures import PERTURBATIONS, perturbed
from manu.attacks.probing import before_value, chosen_options, hidden_states, train_probe
from manu.attacks.questions import attacked, relearned_people
from manu.attacks.relearning import relearn
from manu.attacks.rounding import round_weight, rounded
from manu.audit.answers import check_answers
from manu.audit.findings import Report
from manu.core.errors import UserError
from manu.data.benchmark import generate
from manu.data.reading import read_ids, read_names, read_training_data_of
from manu.models.registry import known_models
from manu.steps import attack
from manu.study.model import Evaluation, Robustness
from manu.training.dataset import TrainingSet
from manu.training.lora import Lora

EVALUATION = Evaluation().model_dump() | {"splits": ["forget"], "tasks": ["classification"], "max_new_tokens": 6}
ROBUSTNESS = Robustness().model_dump()


def test_rounding_by_hand():
    weight = torch.tensor([[0.7, -0.2, 0.04, 0.36], [0.0, 0.0, 0.0, 0.0], [-14.0, 7.1, 0.9, 1.1]])
    # 4 bits: 7 steps to either side; s = 0.1 in the first row, 2 in the last: 0.36 is 4 steps, 1.1 one and 0.9 none
    right = torch.tensor([[0.7, -0.2, 0.0, 0.4], [0.0, 0.0, 0.0, 0.0], [-14.0, 8.0, 0.0, 2.0]])
    assert torch.allclose(round_weight(weight, 4), right)
    assert torch.allclose(round_weight(weight, 8), weight, atol=14 / 127 / 2)
    with pytest.raises(ValueError, match="1 bits: .* at least 2"):
        round_weight(weight, 1)


def test_rounding_lasts_for_the_block_even_if_it_fails():
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    before = {name: each.clone() for name, each in model.state_dict().items()}
    with pytest.raises(KeyError), rounded(model, 2):
        assert len(set(model[0].weight[0].abs().tolist()) - {0.0}) == 1  # -s, 0, s
        assert torch.equal(model[0].bias, before["0.bias"]) and torch.equal(model[1].weight, before["1.weight"])
        raise KeyError
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)), dtype=float)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_disturbed_picture_is_the_same_twice_and_of_the_same_size(name):
    whole = np.zeros((64, 64, 3))
    whole[:, 32:, 0] = 200  # black beside red
    first = perturbed(png(whole), name)
    assert first == perturbed(png(whole), name)
    seen = pixels(first)
    assert seen.shape == whole.shape and not np.array_equal(seen, whole)
    if name == "grey":  # red counts 0.299 in the luma of ITU-R 601
        assert seen[0, 40].tolist() == [60, 60, 60]
    if name == "blur":
        assert 0 < seen[5, 31, 0] < 200 and seen[5, 5, 0] == 0 and seen[5, 60, 0] == 200


def test_the_schema_lists_the_perturbations():
    listed = Robustness.model_json_schema()["properties"]["perturbations"]["items"]["enum"]
    assert listed == list(PERTURBATIONS)


def test_questions_of_the_attacks(benchmark_folder):
    asked = attacked(benchmark_folder, 10, EVALUATION, ROBUSTNESS)
    assert [f"{attack}: {condition}" for attack, condition in asked] == [
        "rounding: 8 bits",
        "rounding: 4 bits",
        "wording: other words",
        "portrait: other portrait",
        "portrait: noise",
        "portrait: blur",
        "portrait: grey",
        *(f"relearning: {who} lessons, {steps} steps" for who in ("forget", "retain") for steps in (0, 5, 20, 60)),
    ]
    plain = asked["rounding", "8 bits"][0]
    assert [split for _, split, _ in asked["rounding", "8 bits"][1]].count("forget") == 2 * 2 * 5
    portraits = {q.profile_id: q.image for q in plain.values() if q.image}
    texts = {q.prompt for q in plain.values()}
    words, places = asked["wording", "other words"]
    assert {q.image for q in words.values() if q.image} <= set(portraits.values())
    assert not {q.prompt for q in words.values()} & texts and {split for _, split, _ in places} == {"forget"}
    for condition in ("other portrait", "noise"):
        shown = asked["portrait", condition][0]
        assert {q.prompt for q in shown.values()} <= texts and {q.modality for q in shown.values()} == {"multimodal"}
        assert all(q.image != portraits[q.profile_id] for q in shown.values())

    forget, taught = read_ids(benchmark_folder, "forget_10"), relearned_people(benchmark_folder, 10, 0.5)
    assert taught == forget[:1] and relearned_people(benchmark_folder, 10, 0.99) == forget[:1]
    remaining = asked["relearning", "retain lessons, 20 steps"][0]
    assert {q.profile_id for q in remaining.values()} == set(forget[1:])


def test_one_forget_person_cannot_be_relearned_from_another(tmp_path, small_benchmark):
    generate(tmp_path, replace(small_benchmark, people=10), [10])
    with pytest.raises(UserError, match="10 percent is 1 forget person; relearning needs two"):
        relearned_people(tmp_path, 10, 0.5)


def test_membership_scores_by_hand():
    """Two tokens over a vocabulary of two: p = 3/4 (the more likely one) and 1/4."""
    logits = torch.tensor([[np.log(3.0), 0.0], [np.log(3.0), 0.0]])
    log_p, normed = token_scores(logits, torch.tensor([0, 1]))
    high, low = np.log(0.75), np.log(0.25)
    assert log_p.tolist() == pytest.approx([high, low])
    mean = 0.75 * high + 0.25 * low
    sigma = np.sqrt(0.75 * (high - mean) ** 2 + 0.25 * (low - mean) ** 2)
    assert normed.tolist() == pytest.approx([(high - mean) / sigma, (low - mean) / sigma])
    assert normed.tolist() == pytest.approx([1 / np.sqrt(3), -np.sqrt(3)])  # sqrt(q / p), -sqrt(p / q)
    scores = {name: of(log_p, normed, "chess chess chess", 0.5) for name, of in SCORES.items()}
    assert scores == pytest.approx(
        {
            "loss": (high + low) / 2,
            "zlib": (high + low) / 2 / len(zlib.compress(b"chess chess chess")),
            "min_k": low,
            "min_k_plus_plus": -np.sqrt(3),
        }
    )
    assert SCORES["min_k"](log_p, normed, "", 0.01) == pytest.approx(low)  # at least one token
    assert token_scores(torch.zeros(1, 2), torch.tensor([0]))[1].tolist() == [0.0]


def test_the_area_under_the_curve_is_mann_whitneys():
    one = np.ones((1, 3))
    # pairs (positive, negative): 3 > 1, 3 > 2, 3 > 2 win; 2 > 1 wins, 2 = 2 twice a half; 0 loses all: 5 of 9
    assert weighted_auc(one, np.array([3.0, 2, 0]), one, np.array([1.0, 2, 2])).tolist() == pytest.approx([5 / 9])
    rng = np.random.default_rng(0)
    positive, negative = rng.integers(0, 9, 12).astype(float), rng.integers(0, 9, 20).astype(float)
    weights = [np.vstack([np.ones(n), rng.multinomial(n, [1 / n] * n, size=5)]) for n in (12, 20)]
    areas = weighted_auc(weights[0], positive, weights[1], negative)
    assert areas[0] == pytest.approx(mannwhitneyu(positive, negative).statistic / (12 * 20))
    drawn = [np.repeat(values, each[3].astype(int)) for values, each in zip((positive, negative), weights, strict=True)]
    assert areas[3] == pytest.approx(mannwhitneyu(*drawn).statistic / (12 * 20))


def test_a_probe_finds_the_line_between_two_values():
    states = np.array([[-2.0, 5], [-1, 5], [1, 5], [2, 5]])
    probe = train_probe(states, ["tea", "tea", "beer", "beer"], ridge=0.1)
    assert probe.classes == ("beer", "tea")
    options = [["tea", "beer", "milk", "wine"]] * 2
    assert chosen_options(probe, np.array([[-0.5, 5], [0.5, 5]]), options) == ["tea", "beer"]
    assert chosen_options(probe, np.array([[9.0, 5]]), [["milk", "tea"]]) == ["tea"]  # milk was never shown
    assert np.abs(train_probe(states, ["tea", "tea", "beer", "beer"], ridge=100.0).weights[:-1]).max() < 0.1
    # at the minimum the slope is 0: x^T (p - y) + ridge W = 0, and the biases have no ridge
    inputs = np.hstack([(states - probe.mean) / probe.scale, np.ones((4, 1))])
    p = np.exp(inputs @ probe.weights)
    right = np.array([[0, 1], [0, 1], [1, 0], [1, 0]])
    slope = inputs.T @ (p / p.sum(axis=1, keepdims=True) - right) + 0.1 * probe.weights * np.array([[1], [1], [0]])
    assert np.abs(slope).max() < 1e-3


def test_words_before_the_value():
    assert before_value("The pet of Ada is goose. It is old.") == "The pet of Ada is"
    assert before_value("goose") == "goose"


def test_hidden_states_do_not_depend_on_the_batch(vlm, benchmark_folder):
    questions, _ = attacked(benchmark_folder, 10, EVALUATION, ROBUSTNESS)["wording", "other words"]
    for modality in ("multimodal", "text"):
        asked = [q for q in questions.values() if q.modality == modality][:6]
        said = ["", "The pet", "", "", "The", ""]
        whole = hidden_states(vlm, asked, said, 6)
        assert np.allclose(whole, hidden_states(vlm, asked, said, 1), atol=1e-4)
        assert not np.allclose(whole, hidden_states(vlm, asked, [""] * 6, 6), atol=1e-4)


def test_membership_scores_do_not_depend_on_the_batch(vlm, benchmark_folder):
    evaluation = EVALUATION | {"tasks": ["generation"]}
    questions, _ = attacked(benchmark_folder, 10, evaluation, ROBUSTNESS)["rounding", "8 bits"]
    asked = list(questions.values())[:8]
    one, other = (membership_scores(vlm, asked, 0.2, size) for size in (8, 1))
    assert len(one) == 8 and set(one[0]) == set(SCORES)
    for first, second in zip(one, other, strict=True):
        assert first == pytest.approx(second, rel=1e-3, abs=1e-5)


def test_relearning_looks_at_the_model_when_the_steps_are_done(vlm, benchmark_folder):
    lessons = read_training_data_of(benchmark_folder, "forget_10")
    training_set = TrainingSet(vlm).add(lessons, read_names(benchmark_folder))
    weight = vlm.mlp_sites()[0].second.weight
    seen = []
    looks = lambda steps: seen.append((steps, weight.detach().clone(), vlm.model.training))  # noqa: E731
    relearn(vlm, training_set, 1e-2, 4, [0, 1, 3], np.random.default_rng(0), looks)
    assert [(steps, training) for steps, _, training in seen] == [(0, False), (1, False), (3, False)]
    assert not torch.equal(seen[0][1], seen[1][1]) and not torch.equal(seen[1][1], seen[2][1])
    assert torch.equal(seen[2][1], weight)


def test_relearning_through_adapters_leaves_a_plain_model(vlm, benchmark_folder):
    training_set = TrainingSet(vlm).add(
        read_training_data_of(benchmark_folder, "forget_10"), read_names(benchmark_folder)
    )
    before = {name: weight.clone() for name, weight in vlm.model.state_dict().items()}
    looks, lora = [], Lora(("q_proj",), rank=2)
    look = lambda steps: looks.append(set(vlm.model.state_dict()) - set(before))  # noqa: E731
    relearn(vlm, training_set, 1e-2, 4, [2], np.random.default_rng(0), look, lora)
    after = vlm.model.state_dict()
    moved = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    assert looks[0] and after.keys() == before.keys()
    assert moved and all(name.endswith("q_proj.weight") for name in moved)


def config_of(model: str, method: str = "manu") -> dict:
    relearning = ROBUSTNESS["relearning"] | {"steps": [1], "batch_size": 4}
    robustness = ROBUSTNESS | {"bits": [4], "relearning": relearning, "perturbations": ["grey"]}
    robustness.pop("forget_ratio")
    keys = {"study": "tiny", "model": model, "method": method, "ratios": [10], "seed": 0}
    return keys | {"evaluation": EVALUATION, "robustness": robustness}


@pytest.mark.parametrize("vlm", known_models()[:1], indirect=True)
def test_the_stage_writes_answers_that_the_audit_can_check(vlm, benchmark_folder, tmp_path):
    model = known_models()[0]
    vlm.save(tmp_path / "checkpoint")
    (tmp_path / "system.txt").write_text("Say nothing of them.")
    config = config_of(model)
    options = Namespace(
        benchmark=benchmark_folder,
        checkpoint=tmp_path / "checkpoint",
        mask=None,
        system_prompt=tmp_path / "system.txt",
        answers=tmp_path / "a.parquet",
        signals=tmp_path / "s.parquet",
    )
    attack.main(options, config)
    answers, signals = pd.read_parquet(options.answers), pd.read_parquet(options.signals)
    assert list(dict.fromkeys(answers["attack"])) == ["rounding", "wording", "portrait", "relearning"]
    assert set(signals["attack"]) == {"probe", "membership"} and set(signals["forget_ratio"]) == {10}
    members = signals[(signals["attack"] == "membership") & (signals["condition"] == "loss")]
    assert members.groupby("split").size().to_dict() == {"forget": 2 * 4, "unseen": 4 * 4}
    probed = signals[(signals["attack"] == "probe") & (signals["condition"] == "end of prompt")]
    assert probed.groupby("split").size().to_dict() == {"forget": 20, "retain": 20}

    record = {
        "stage": "manu.steps.attack",
        "configuration": {"content": config},
        "options": {"benchmark": str(benchmark_folder), "answers": str(options.answers)},
    }
    report = Report()
    check_answers(record, report)
    assert not report.findings and report.counts["answers"] == len(answers)
    answers.loc[answers["condition"] == "grey", "prompt"] = "What?"
    answers.to_parquet(options.answers)
    check_answers(record, report)
    assert "attack portrait, condition grey" in report.findings[0].where
    answers[answers["attack"] != "wording"].to_parquet(options.answers)
    report = Report()
    check_answers(record, report)
    assert "holds the attacks and conditions portrait grey" in report.findings[0].what
