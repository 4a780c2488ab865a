"""The paper beside ours: every published number has a status and a true reason, and the arithmetic is right."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from manu.analysis.reading import Inputs
from manu.analysis.tables import comparison as comparison_table
from manu.analysis.tables.comparison import (
    DIFFERS,
    MATCHED,
    NOT_COMPARABLE,
    NOT_RUN,
    OUR_COLUMNS,
    REPORTED_COLUMNS,
    WITHIN,
    Scope,
    comparison,
    scope_of,
    settings,
)
from manu.core.errors import UserError
from manu.data.reading import FORMATS
from manu.evaluation.metrics import METRICS
from manu.evaluation.vocabulary import MODALITIES, REFERENCES
from manu.study.loading import read_study

REPORTED = Path(__file__).parents[2] / "data/reported/reported.csv"
STUDIES = sorted((Path(__file__).parents[2] / "config/studies").glob("*.yaml"))
PAPER = Scope(
    comparable=True,
    words="",
    tolerance=0.01,
    benchmark="MLLMU-Bench",
    models={"llava": "llava-hf/llava-1.5-7b-hf"},
    methods=["manu", "ga", *REFERENCES],
    forget_ratios=[5, 15],
    splits=["forget"],
    modalities=MODALITIES,
    tasks=["classification", "generation"],
    protocol="letter",
)
TINY = replace(PAPER, comparable=False, words="tiny models", models={"llava": ""})


def scores() -> pd.DataFrame:
    rows = [
        ("llava", "manu", 5, 0, "forget", modality, task, metric, value, 50, value - 0.1, value + 0.1)
        for modality, value in (("multimodal", 0.40), ("text", 0.60))
        for task, metric in (("classification", "accuracy"), ("generation", "rougeL"))
    ]
    keys = [
        "model",
        "method",
        "forget_ratio",
        "seed",
        "split",
        "modality",
        "task",
        "metric",
        "value",
        "n",
        "ci_low",
        "ci_high",
    ]
    return pd.DataFrame(rows, columns=keys)


def outcomes() -> pd.DataFrame:
    rows = [("llava", "manu", 5, 0, "forget", "multimodal", "js_distance", 0.3, 20, 0.2, 0.4)]
    keys = ["model", "method", "forget_ratio", "seed", "split", "modality", "metric", "value", "n", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=keys)


def published(**changes: str) -> dict:
    row = dict.fromkeys(REPORTED_COLUMNS, "x") | {
        "model": "LLaVA-1.5-7B",
        "benchmark": "MLLMU-Bench",
        "forget_ratio": "5%",
        "method": "MANU",
        "split": "forget",
        "modality": "unspecified",
        "task": "classification",
        "metric": "accuracy_pct",
        "value": "50.5",
    }
    return row | changes


def compare(scope: Scope = PAPER, **changes: str) -> dict:
    return comparison(pd.DataFrame([published(**changes)]), scores(), outcomes(), scope).iloc[0].to_dict()


def test_a_mean_over_modalities_in_the_published_unit():
    row = compare()
    assert (row["our_value"], row["difference"], row["our_n"]) == ("50.000000", "-0.500000", "100")
    assert (row["our_ci_low"], row["our_ci_high"]) == ("40.000000", "60.000000")
    assert row["status"] == MATCHED and row["our_modality"] == "multimodal and text"


@pytest.mark.parametrize(
    ("changes", "status", "value"),
    [
        ({"modality": "text", "value": "60.9"}, MATCHED, "60.000000"),
        ({"modality": "text", "value": "69"}, WITHIN, "60.000000"),
        ({"modality": "text", "value": "71"}, DIFFERS, "60.000000"),
        ({"task": "generation", "metric": "rouge_l", "value": "0.5"}, MATCHED, "0.500000"),
        ({"task": "generation", "metric": "rouge_l", "value": "50"}, MATCHED, "50.000000"),
        (
            {"task": "likelihood", "metric": "js_distance", "value": "0.35", "modality": "multimodal"},
            WITHIN,
            "0.300000",
        ),
    ],
)
def test_statuses_of_a_comparable_study(changes, status, value):
    row = compare(**changes)
    assert (row["status"], row["our_value"]) == (status, value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "Qwen2.5-VL-7B"}, "this study has no model 'qwen2_5_vl'"),
        ({"model": "Llama-4"}, "this project has no model Llama-4"),
        ({"model": "unspecified"}, "the source does not name the model"),
        ({"benchmark": "CLEAR"}, "this study asks in the form of MLLMU-Bench, not of CLEAR"),
        ({"method": "RMU"}, "this study does not run rmu"),
        ({"method": "PAVA"}, "this project has no method PAVA"),
        ({"method": "GA"}, "scores.csv has no accuracy of ga at 5 percent"),
        ({"forget_ratio": "10%"}, "this study does not forget 10 percent"),
        ({"split": "test"}, "this study does not ask: test"),
        ({"task": "cloze"}, "this study does not ask: cloze"),
        ({"metric": "jailbreak", "task": "robustness"}, "the attacks of this project are others"),
        ({"metric": "GPT_correctness", "task": "generation"}, "this project does not measure GPT_correctness"),
        ({"metric": "model_utility", "task": "aggregate", "split": "all"}, "seven general benchmarks"),
        ({"metric": "forget_quality", "task": "aggregate", "split": "all"}, "how it is normalised is not public"),
        ({"metric": "truth_ratio_norm", "task": "likelihood"}, "how is not public"),
        ({"metric": "ks_stat", "task": "likelihood"}, "ks_statistic needs a paraphrase of every answer"),
    ],
)
def test_what_is_not_run_says_why(changes, reason):
    row = compare(**changes)
    assert row["status"] == NOT_RUN and reason in row["reason"] and row["our_value"] == ""


def test_a_comparable_study_is_set_beside_its_own_checkpoint_and_protocol_alone():
    other = replace(PAPER, models={"llava": "llava-hf/llava-1.5-13b-hf"})
    assert compare(other)["reason"] == "the model 'llava' of this study is llava-hf/llava-1.5-13b-hf"
    likely = replace(PAPER, protocol="likelihood")
    assert compare(likely)["reason"] == "classification is by likelihood in this study, and by letter in print"
    assert compare(likely, task="generation", metric="rouge_l", value="0.5")["status"] == MATCHED


def test_a_study_is_set_beside_the_numbers_of_its_own_benchmark_alone():
    on_clear = replace(PAPER, benchmark=FORMATS["clear"].NAME)
    row = compare(on_clear)
    assert (row["status"], row["our_value"]) == (NOT_RUN, "")
    assert row["reason"] == "this study asks in the form of CLEAR, not of MLLMU-Bench"
    assert compare(on_clear, benchmark="CLEAR", modality="multimodal", value="40.5")["status"] == MATCHED


# What each reason says of a published number and a study, told from the study alone. The names are written out here.
OURS = {
    "LLaVA-1.5-7B": "llava",
    "Qwen2.5-VL-3B": "qwen2_5_vl",
    "Qwen2.5-VL-7B": "qwen2_5_vl",
    "Vanilla": "vanilla",
    "Finetune": "vanilla",
    "Retain-Only": "retain_only",
    "GA": "ga",
    "GradDiff": "gradient_difference",
    "KL": "kl",
    "NPO": "npo",
    "RMU": "rmu",
    "UNDIAL": "undial",
    "MMUnlearner": "mmunlearner",
    "MANU": "manu",
    "real_celebrity": "celebrity",
}
QUANTITIES = {  # as published: the task that it is asked in, by letter or by text
    ("classification", "accuracy_pct"): "classification",
    ("cloze", "accuracy_pct"): "cloze",
    **{("generation", metric): "generation" for metric in ("rouge_l", "rouge_1", "bleu")},
    **{("likelihood", metric): "generation" for metric in ("answer_probability", "ks_stat", "js_distance")},
}


def has(study, row: dict) -> dict[str, bool]:
    """Whether the study has what a published number is about."""
    from manu.unlearning.registry import known_methods

    asked, model, method = study.evaluation, OURS.get(row["model"]), OURS.get(row["method"])
    modalities = MODALITIES if row["modality"] in ("unspecified", "mixed") else (row["modality"],)
    quantity = QUANTITIES.get((row["task"], row["metric"]))
    return {
        "a model of the project": model is not None,
        "the model": model in study.models,
        "the benchmark": row["benchmark"] == FORMATS[study.benchmark.format_name].NAME,
        "a method of the project": method in known_methods() or method in REFERENCES,
        "the method": method in study.methods or method in REFERENCES,
        "the ratio": int(row["forget_ratio"][:-1]) in study.forget_ratios,
        "the quantity": quantity is not None and row["split"] not in ("all", "general"),
        "the split": OURS.get(row["split"], row["split"]) in asked.splits,
        "the task": quantity in asked.tasks,
        "the modalities": set(modalities) <= set(asked.modalities),
    }


REASONS: dict[str, Callable[[dict[str, bool], str], bool]] = {
    "this project has no model ": lambda there, _: not there["a model of the project"],
    "the source does not name the model": lambda there, _: not there["a model of the project"],
    "this study has no model ": lambda there, _: there["a model of the project"] and not there["the model"],
    "this study asks in the form of ": lambda there, _: not there["the benchmark"],
    "this project has no method ": lambda there, _: not there["a method of the project"],
    "this study does not run ": lambda there, _: there["a method of the project"] and not there["the method"],
    "this study does not forget ": lambda there, _: not there["the ratio"],
    "this project does not measure ": lambda there, _: not there["the quantity"],
    "this study does not ask: ": lambda there, _: (
        not (there["the split"] and there["the task"] and there["the modalities"])
    ),
    **{text: lambda there, _: not there["the quantity"] for text in comparison_table.RELATIVES.values()},
}


def full_tables(study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """scores.csv and outcomes.csv with every cell that a finished study has."""
    asked = study.evaluation
    runs = list(product(study.models, [*REFERENCES, *study.methods], study.forget_ratios, [0], asked.splits))
    cells = [
        (*run, modality, task, metric.name)
        for run in runs
        for modality in asked.modalities
        for task in asked.tasks
        for metric in METRICS.values()
        if task in metric.tasks
    ]
    names = ("answer_probability", "ks_statistic", "js_distance")
    more = [(*run, modality, name) for run in runs for modality in asked.modalities for name in names]
    keys = ["model", "method", "forget_ratio", "seed", "split", "modality"]
    numbers = {"value": 0.5, "n": 10, "ci_low": 0.4, "ci_high": 0.6}
    tables = pd.DataFrame(cells, columns=[*keys, "task", "metric"]), pd.DataFrame(more, columns=[*keys, "metric"])
    return tables[0].assign(**numbers), tables[1].assign(**numbers)


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_the_reasons_of_every_study_are_true(file):
    """A published number is set beside ours if and only if the study has its model, method, ratio, questions and
    quantity; otherwise the reason names something that the study has not."""
    study = read_study(file)
    reported = comparison_table.published(Inputs({"reported": [REPORTED]}))
    table = comparison(reported, *full_tables(study), scope_of(settings(study)))
    for row in table.to_dict("records"):
        there = has(study, row)
        assert (row["status"] != NOT_RUN) is all(there.values()), (row["reason"], there)
        if row["status"] == NOT_RUN:
            (says,) = {text for text in REASONS if row["reason"].startswith(text)}
            assert REASONS[says](there, row["reason"]), (row["reason"], there)


def test_published_numbers_name_every_format():
    assert {reader.NAME for reader in FORMATS.values()} <= set(
        comparison_table.published(Inputs({"reported": [REPORTED]}))["benchmark"]
    )


def test_small_models_are_not_comparable():
    row = compare(TINY)
    assert row["status"] == NOT_COMPARABLE and row["our_value"] == "50.000000"
    assert row["reason"] == "ours: tiny models; published: LLaVA-1.5-7B on MLLMU-Bench"
    likely = compare(replace(TINY, protocol="likelihood"))
    assert likely["reason"] == "ours: tiny models, by likelihood; published: LLaVA-1.5-7B on MLLMU-Bench"


def test_every_published_number_has_a_status_and_a_reason():
    reported = comparison_table.published(Inputs({"reported": [REPORTED]}))
    table = comparison(reported, scores(), outcomes(), TINY)
    assert len(table) == len(reported) == 1007
    assert (table[["status", "reason"]] != "").all(axis=None)
    pd.testing.assert_frame_equal(table[list(REPORTED_COLUMNS)], reported)
    assert list(table.columns) == [*REPORTED_COLUMNS, *OUR_COLUMNS]
    assert (table["status"] == NOT_COMPARABLE).sum() > 0


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="lacks the columns: source_paper"):
        comparison_table.published(Inputs({"reported": [tmp_path / "x.csv"]}))
