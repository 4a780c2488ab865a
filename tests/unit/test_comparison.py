"""The paper beside ours: every published number has a status and a reason, and the arithmetic is right."""

from pathlib import Path

import made_rows
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
    Scale,
    comparison,
)
from manu.core.errors import UserError
from manu.data.reading import FORMATS

REPORTED = Path(__file__).parents[2] / "data/reported/reported.csv"
TINY = Scale(False, "tiny models", 0.01, "MLLMU-Bench")
PAPER = Scale(True, "", 0.01, "MLLMU-Bench")


SCORES = made_rows.scores(
    *(
        {"method": "manu", "modality": modality, "task": task, "metric": metric, "value": value, "n": 50}
        | {"ci_low": value - 0.1, "ci_high": value + 0.1}
        for modality, value in (("multimodal", 0.40), ("text", 0.60))
        for task, metric in (("classification", "accuracy"), ("generation", "rougeL"))
    )
)


OUTCOMES = made_rows.outcomes(
    {"method": "manu", "metric": "forget_quality", "value": 0.7, "n": 200, "ci_low": 0.6, "ci_high": 0.8}
)


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


def compare(scale: Scale = PAPER, **changes: str) -> dict:
    return comparison(pd.DataFrame([published(**changes)]), SCORES, OUTCOMES, scale).iloc[0].to_dict()


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
        ({"task": "aggregate", "metric": "forget_quality", "value": "0.684", "modality": "mixed"}, WITHIN, "0.700000"),
    ],
)
def test_statuses_of_a_comparable_study(changes, status, value):
    row = compare(**changes)
    assert (row["status"], row["our_value"]) == (status, value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "Qwen2.5-VL-7B"}, "the architecture Qwen2.5-VL-7B is not in this study"),
        ({"model": "Idefics2-8B"}, "this study has no model 'idefics2'"),
        ({"benchmark": "CLEAR"}, "the benchmark CLEAR is not in this study"),
        ({"method": "RMU"}, "the method RMU is not in this study"),
        ({"method": "GA"}, "this study has no accuracy of ga at 5 percent"),
        ({"forget_ratio": "15%"}, "this study has no accuracy of manu at 15 percent"),
        ({"metric": "jailbreak", "task": "robustness"}, "is not measured in this study"),
    ],
)
def test_what_is_not_run_says_why(changes, reason):
    row = compare(**changes)
    assert row["status"] == NOT_RUN and reason in row["reason"] and row["our_value"] == ""


def test_a_study_is_set_beside_the_numbers_of_its_own_benchmark_alone():
    on_clear = Scale(True, "", 0.01, FORMATS["clear"].NAME)
    row = compare(on_clear)
    assert (row["status"], row["our_value"]) == (NOT_RUN, "")
    assert row["reason"] == "the benchmark MLLMU-Bench is not in this study"
    assert compare(on_clear, benchmark="CLEAR", modality="multimodal", value="40.5")["status"] == MATCHED


def test_published_numbers_name_every_format():
    assert {reader.NAME for reader in FORMATS.values()} <= set(
        comparison_table.published(Inputs({"reported": [REPORTED]}))["benchmark"]
    )


def test_small_models_are_not_comparable():
    row = compare(TINY)
    assert row["status"] == NOT_COMPARABLE and row["our_value"] == "50.000000"
    assert row["reason"] == "ours: tiny models; published: LLaVA-1.5-7B on MLLMU-Bench"


def test_every_published_number_has_a_status_and_a_reason():
    reported = comparison_table.published(Inputs({"reported": [REPORTED]}))
    table = comparison(reported, SCORES, OUTCOMES, TINY)
    assert len(table) == len(reported) == 1007
    assert (table[["status", "reason"]] != "").all(axis=None)
    pd.testing.assert_frame_equal(table[list(REPORTED_COLUMNS)], reported)
    assert list(table.columns) == [*REPORTED_COLUMNS, *OUR_COLUMNS]
    assert (table["status"] == NOT_COMPARABLE).sum() > 0


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="lacks the columns: source_paper"):
        comparison_table.published(Inputs({"reported": [tmp_path / "x.csv"]}))
