"""Requests to forget in turn: who each names, what a method does at the second, and the table by hand."""

from argparse import Namespace
from copy import deepcopy

import pandas as pd
import pytest
import torch

from manu.analysis.cells import csv_text
from manu.analysis.tables import sequential
from manu.analysis.tables.sequential import AT_ONCE, DIFFERENCE, IN_TURN, sequential_table
from manu.attacks.sequential import requested_at
from manu.audit.answers import check_answers
from manu.audit.findings import Report
from manu.core.errors import UserError
from manu.data.benchmark import generate
from manu.data.reading import read_ids, read_names, read_training_data_of
from manu.models.registry import known_models
from manu.steps import forget_in_turn
from manu.study.model import Evaluation
from manu.unlearning.in_turn import in_turn
from manu.unlearning.npo import NegativePreferenceOptimization
from manu.unlearning.registry import create_method
from manu.unlearning.run import unlearned
from manu.unlearning.system_prompt import system_prompt
from manu.unlearning.training_data import UnlearningData

TRAINING = {"learning_rate": 3e-3, "epochs": 1, "batch_size": 8}
PRUNING = {"prune_ratio": 20}
LORA = {"lora": {"rank": 4, "alpha": 8, "dropout": 0.05}}
FIRST, SECOND = 10, 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_benchmark):
    """The small benchmark with nested forget sets of two and four people."""
    folder = tmp_path_factory.mktemp("turns")
    generate(folder, small_benchmark, [FIRST, SECOND])
    return folder


def config_of(model: str, method: str, settings: dict) -> dict:
    evaluation = Evaluation().model_dump()
    asked = {"splits": ["forget", "retain"], "tasks": ["classification"], "max_new_tokens": 6}
    keys = {"study": "tiny", "model": model, "method": method, "ratios": [SECOND], "seed": 1}
    statistics = {"batch_size": 16, "tau": 0.1, "milestones": []}
    turns = {"requests": [FIRST, SECOND], "settings": settings, "statistics": statistics}
    return keys | {"evaluation": evaluation | asked} | turns


def weights(vlm) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in vlm.model.named_parameters()}


def same_weights(one: dict, other: dict) -> bool:
    return all(torch.equal(each, other[name]) for name, each in one.items())


def silent(vlm) -> dict[str, torch.Tensor]:
    """The neurons of each site that give nothing and are given nothing."""
    found = {}
    for site in vlm.mlp_sites():
        into = [layer.weight.eq(0).all(1) for layer in site.first]
        found[site.name] = torch.stack([site.second.weight.eq(0).all(0), *into]).all(0)
    return found


def test_the_people_of_each_request(folder):
    first, second = (set(read_ids(folder, f"forget_{ratio}")) for ratio in (FIRST, SECOND))
    assert requested_at(folder, [FIRST, SECOND]) == dict.fromkeys(first, 10) | dict.fromkeys(second - first, 20)
    new = {"without": ["forget_10"]}
    assert {lesson.id for lesson in read_training_data_of(folder, "forget_20", **new)} == second - first
    assert set(read_names(folder, "forget_20", **new)) == second - first
    assert not {lesson.id for lesson in read_training_data_of(folder, "retain_80", **new)} & second
    with pytest.raises(UserError, match="forget_10 must hold everybody of the request before it, and somebody"):
        requested_at(folder, [SECOND, FIRST])


def test_a_method_learns_from_the_new_people_alone(vlm, folder):
    method = create_method("mmunlearner", TRAINING)
    everyone, new = (UnlearningData(vlm, method, folder, SECOND, earlier) for earlier in ((), ["forget_10"]))
    assert new.batches_per_epoch < everyone.batches_per_epoch


@pytest.mark.parametrize("vlm", known_models()[:1], indirect=True)
def test_training_goes_on_from_the_first_request_and_that_model_is_the_reference(vlm, folder, monkeypatch):
    name, references = "npo", []
    loss = NegativePreferenceOptimization.loss

    def spied(self, model, batches, reference):
        references.append({name: weight.clone() for name, weight in reference.named_parameters()})
        return loss(self, model, batches, reference)

    monkeypatch.setattr(NegativePreferenceOptimization, "loss", spied)
    method, config = create_method(name, TRAINING), config_of(vlm.name, name, TRAINING)
    alone, vanilla = deepcopy(vlm), weights(vlm)
    turns = in_turn(config, method, vlm, folder)
    assert next(turns) == (FIRST, None) and same_weights(references[-1], vanilla)
    unlearned(config, method, alone, folder, FIRST)
    first = weights(vlm)
    assert same_weights(first, weights(alone))  # the first request is what the study does at that ratio
    assert next(turns) == (SECOND, None) and same_weights(references[-1], first)
    unlearned(config, method, alone, folder, SECOND, (), ["forget_10"])
    assert same_weights(weights(vlm), weights(alone)) and not same_weights(weights(vlm), first)
    assert next(turns, None) is None


@pytest.mark.parametrize(
    ("name", "settings", "lora"),
    [("manu", PRUNING, {}), ("manu+recover", PRUNING | TRAINING, {}), ("manu+recover", PRUNING | TRAINING, LORA)],
    ids=["manu", "manu+recover", "manu+recover by adapters"],
)
@pytest.mark.parametrize("vlm", known_models()[:1], indirect=True)
def test_what_the_first_request_prunes_stays_pruned(vlm, folder, name, settings, lora):
    turns = in_turn(config_of(vlm.name, name, settings) | lora, create_method(name, settings), vlm, folder)
    seen = [(silent(vlm), weights(vlm)) for _ in turns]
    (first, before), (second, after) = seen
    assert all((first[site] <= second[site]).all() for site in first)
    total = sum(site.width for site in vlm.mlp_sites())
    counts = [sum(int(mask.sum()) for mask in each.values()) for each in (first, second)]
    assert counts[0] == total * 20 // 100 < counts[1] <= 2 * counts[0]
    trained = [site for site in vlm.mlp_sites() if site.part == "language"]
    assert all((site.second.weight[:, ~second[site.name]] != 0).any() for site in trained)
    assert not same_weights(before, after)


def test_a_prompt_names_everybody_so_far(vlm, folder):
    turns = in_turn(config_of(vlm.name, "prompting", {}), create_method("prompting", {}), vlm, folder)
    vanilla, prompts = weights(vlm), dict(turns)
    assert prompts[SECOND] == system_prompt(create_method("prompting", {}), folder, SECOND)
    for ratio, system in prompts.items():
        there = {name for name in read_names(folder).values() if name in system}
        assert there == set(read_names(folder, f"forget_{ratio}").values())
    assert same_weights(vanilla, weights(vlm))


@pytest.mark.parametrize("vlm", known_models()[:1], indirect=True)
def test_the_stage_writes_answers_that_the_audit_can_check(vlm, folder, tmp_path):
    vlm.save(tmp_path / "vanilla")
    config = config_of(vlm.name, "manu_released", PRUNING)
    given = {"benchmark": folder, "vanilla": tmp_path / "vanilla", "choice": None, "references": None}
    options = Namespace(**given, out=tmp_path / "a.parquet")
    assert forget_in_turn.main(options, config) == f"{options.out}: 2 requests, 400 answers"
    answers = pd.read_parquet(options.out)
    asked = answers.groupby(["after", "split", "requested"]).size().to_dict()
    assert asked == {
        (after, split, ratio): people * 10
        for after in (10, 20)
        for split, ratio, people in (("forget", 10, 2), ("forget", 20, 2), ("retain", 0, 16))
    }

    record = {
        "stage": "manu.steps.forget_in_turn",
        "configuration": {"content": config},
        "options": {"benchmark": str(folder), "out": str(options.out)},
    }
    report = Report()
    check_answers(record, report)
    assert not report.findings and report.counts["answers"] == len(answers)
    for changed, said in (
        (answers.assign(requested=answers["requested"].replace(20, 10)), "column requested"),
        (answers.assign(prompt="What?"), "after 10, row 0"),
        (answers[answers["after"] == 10], "holds the requests 10; the configuration has 10; 20"),
        (answers.drop(columns="requested"), "lacks the columns: requested"),
    ):
        changed.to_parquet(options.out)
        report = Report()
        check_answers(record, report)
        assert any(said in str(finding) for finding in report.findings), said


NAMED = {"ada": 5, "bo": 10, "cy": 10, "dee": 0, "eve": 0}  # person -> when requested
AFTER = {  # method -> after -> right or wrong of two questions about each
    "ga": {5: "00 11 10 11 11", 10: "10 00 01 11 00"},
    "manu": {5: "11 11 11 11 11", 10: "01 01 01 01 01"},
}
ONCE = {"ga": "00 00 01 10 10", "manu": "00 00 00 11 11"}


def marked(method: str, marks: str, **more) -> list[dict]:
    rows = []
    for (person, named), own in zip(NAMED.items(), marks.split(), strict=True):
        for number, mark in enumerate(own):
            keys = {"model": "llava", "seed": 0, "method": method, "forget_ratio": 10, "modality": "text"}
            about = {"split": "forget" if named else "retain", "profile_id": person}
            about |= {"question_id": f"{person}/{number}"}
            row = keys | about | {"task": "classification", "correct": float(mark)} | more
            rows.append(row | ({"requested": named} if "after" in more else {}))
    return rows


def in_turn_rows() -> pd.DataFrame:
    rows = [
        row
        for method, turns in AFTER.items()
        for after, marks in turns.items()
        for row in marked(method, marks, after=after)
    ]
    return pd.DataFrame(rows)


def stored() -> pd.DataFrame:
    rows = [row for method, marks in ONCE.items() for row in marked(method, marks)]
    rows += marked("ga", "11 11 11 11 11", task="cloze") + marked("ga", "11 11 11 11 11", forget_ratio=5)
    return pd.DataFrame(rows)


def test_the_table_by_hand():
    rows = sequential_table(stored(), in_turn_rows(), resamples=200)
    assert list(rows.columns) == list(sequential.COLUMNS) and set(rows["modality"]) == {"text"}
    ga = rows[rows["method"] == "ga"]
    assert ga[["order", "after", "group", "metric", "value", "n"]].values.tolist() == [
        [IN_TURN, 5, "requested", "accuracy", 0.0, 2],
        [IN_TURN, 5, "just requested", "accuracy", 0.0, 2],
        [IN_TURN, 5, "not yet requested", "accuracy", 0.75, 4],
        [IN_TURN, 5, "retain", "accuracy", 1.0, 4],
        [IN_TURN, 10, "requested", "accuracy", pytest.approx(1 / 3, abs=1e-6), 6],
        [IN_TURN, 10, "just requested", "accuracy", 0.25, 4],
        [IN_TURN, 10, "requested earlier", "accuracy", 0.5, 2],
        [IN_TURN, 10, "retain", "accuracy", 0.5, 4],
        [AT_ONCE, 10, "requested", "accuracy", pytest.approx(1 / 6, abs=1e-6), 6],
        [AT_ONCE, 10, "retain", "accuracy", 0.5, 4],
        [DIFFERENCE, 10, "requested", "difference", pytest.approx(1 / 6, abs=1e-6), 6],
        [DIFFERENCE, 10, "retain", "difference", 0.0, 4],
    ]


def test_differences_are_paired_on_the_same_draws_of_people():
    """Who is known in turn and who at once: the same people or others, as many answers either way."""

    def asked(known: list[int], **more) -> pd.DataFrame:
        keys = {"model": "llava", "seed": 0, "method": "ga", "forget_ratio": 5, "modality": "text", "split": "forget"}
        rows = [
            keys | {"task": "classification", "profile_id": f"p{person}", "question_id": f"p{person}/{number}"}
            | {"correct": float(number < right)} | more
            for person, right in enumerate(known)
            for number in range(10)
        ]  # fmt: skip
        return pd.DataFrame(rows)

    known, width = [10, 9, 8, 8, 2, 2, 1, 0], {}
    for who, at_once in (("the same", known), ("others", known[::-1])):
        rows = sequential_table(asked(at_once), asked(known, after=5, requested=5), resamples=500)
        (difference,) = rows[rows["metric"] == "difference"].to_dict("records")
        assert difference["value"] == 0.0 and difference["ci_low"] < 0.0 < difference["ci_high"]
        width[who] = difference["ci_high"] - difference["ci_low"]
    assert width["the same"] < 0.5 * width["others"]


def test_a_method_that_diverged_at_once_has_its_rows_in_turn():
    whole, rest = (
        sequential_table(rows, in_turn_rows(), resamples=20)
        for rows in (stored(), stored()[stored()["method"] != "ga"])
    )
    in_turn = whole[(whole["method"] != "ga") | (whole["order"] == "in turn")].reset_index(drop=True)
    assert len(in_turn) < len(whole)
    pd.testing.assert_frame_equal(rest, in_turn)


def test_the_same_whatever_the_order_of_the_rows():
    one = csv_text(sequential_table(stored(), in_turn_rows(), resamples=50))
    shuffled = stored().sample(frac=1, random_state=0), in_turn_rows().groupby("method").sample(frac=1, random_state=0)
    assert csv_text(sequential_table(*shuffled, resamples=50)) == one
