"""What edits cost, by hand: three methods of one run, their records, and what the fingerprint leaves out."""

import pandas as pd
import pytest

from manu.analysis import outcomes
from manu.analysis.tables import costs
from manu.audit.numbers import is_number, read_rows
from manu.core.errors import UserError
from manu.core.files import write_text
from manu.provenance.lineage import fingerprint
from manu.provenance.record import record_text

FOLDER = "results/tiny/llava/seed0/forget05"
SUFFIX = ".provenance.json"


def record(stage: str, reads: list[str], writes: str, seconds: float, memory: int) -> dict:
    """A record as a job leaves it."""
    return {
        "version": 1,
        "rule": stage,
        "stage": f"manu.steps.{stage}",
        "seed": None,
        "configuration": {"path": "c.yaml", "sha256": "c" * 64, "content": {}},
        "options": {},
        "inputs": {"read": dict.fromkeys(reads, "1" * 64)} if reads else {},
        "outputs": {"out": {writes: "1" * 64}},
        "sources": {"src/manu/__init__.py": "d" * 64},
        "packages": {"python": "3.11"},
        "repository": {"commit": "e" * 40, "clean": True},
        "device": {"processor": "a processor", "instructions": None, "threads": None, "system": "Linux", "gpu": None},
        "cost": {"wall_seconds": seconds, "peak_memory_bytes": memory, "peak_gpu_memory_bytes": None},
    }


def records() -> dict[str, dict]:
    """manu's mask is chosen from statistics, ga is trained from vanilla, whose own record is not asked for."""
    statistics, vanilla = f"{FOLDER}/statistics/modality.safetensors", "results/tiny/llava/seed0/vanilla/checkpoint/m"
    return {
        f"{FOLDER}/retain_only/train{SUFFIX}": record("train", [], f"{FOLDER}/retain_only/checkpoint/m", 64.0, 900),
        f"{FOLDER}/ga/unlearn{SUFFIX}": record("unlearn", [vanilla], f"{FOLDER}/ga/checkpoint/m", 8.0, 800),
        f"{FOLDER}/statistics/modality{SUFFIX}": record("measure_statistics", [vanilla], statistics, 2.0, 700),
        f"{FOLDER}/manu/select_neurons{SUFFIX}": record(
            "select_neurons", [statistics], f"{FOLDER}/manu/mask", 0.5, 600
        ),
    }


def achieved() -> pd.DataFrame:
    """Forgetting success, balance and retention of every method; by name, vanilla knows no more than retain_only."""
    rows = []
    for method, success in (("vanilla", 0.0), ("retain_only", 1.0), ("ga", 0.75), ("manu", 0.25)):
        run = ("tiny", "llava", 5, 0, method)
        picture = ("forgetting_success", "1", success, 25, success - 0.125, success + 0.125, True)
        rows += [
            (*run, "forget", "multimodal", *picture),
            (*run, "forget", "text", "forgetting_success", "1", None, 25, None, None, True),
            (*run, "forget", "both", "balanced_forgetting", "1", success / 2, 50, 0.0, 1.0, True),
            (*run, "retain", "both", "retention", "1", 1 - success / 2, 950, 0.0, 1.0, True),
        ]
    return pd.DataFrame(rows, columns=list(outcomes.COLUMNS))


def test_a_method_costs_what_the_jobs_behind_its_edit_cost():
    table = costs.cost_table(records(), achieved())
    assert tuple(table.columns) == costs.COLUMNS
    assert table[["method", "jobs", "seconds", "peak_memory_bytes"]].values.tolist() == [
        ["retain_only", "retain_only/train", 64.0, 900],
        ["ga", "ga/unlearn", 8.0, 800],
        ["manu", "statistics/modality manu/select_neurons", 2.5, 700],
    ]
    manu = table.iloc[2]
    names = ["forgetting_success", "ci_low", "ci_high", "n"]
    assert manu[[f"multimodal_{name}" for name in names]].tolist() == [0.25, 0.125, 0.375, 25]
    assert manu[["balanced_forgetting", "retention"]].tolist() == [0.125, 0.875]
    assert table[["peak_gpu_memory_bytes", "text_forgetting_success"]].isna().all(axis=None)


def test_a_run_without_a_record_is_named():
    found = {name: each for name, each in records().items() if "/ga/" not in name}
    with pytest.raises(UserError, match=f"no record says what {FOLDER}/ga/ cost"):
        costs.cost_table(found, achieved())


def test_every_number_has_the_rows_that_it_comes_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, each in records().items():
        write_text(name, record_text(each))
    achieved().to_csv("outcomes.csv", index=False)
    sources = {"records": read_rows(list(records())), "outcomes": read_rows(["outcomes.csv"])}
    table = costs.cost_table(records(), achieved()).astype(object)
    for row in table.where(table.notna(), "").map(str).to_dict("records"):
        for column in costs.COLUMNS[len(costs.RUN) + 1 :]:
            origin = costs.origin(row, column)
            rows = sources[origin.sources[0]].match(origin.where)[origin.column]
            if is_number(row[column]):
                assert float(row[column]) == (rows.sum() if column == "seconds" else rows.max()), (row, column)
        assert all(costs.origin(row, column) is None for column in (*costs.RUN, "jobs"))


def test_the_fingerprint_leaves_out_what_shows_times():
    jobs = [
        record("aggregate", ["a.parquet"], "scores.csv", 1.0, 1),
        record("draw", ["costs.csv"], "forgetting_cost.csv", 1.0, 1),  # listed before what it was made from
        record("tabulate_costs", [f"unlearn{SUFFIX}", "scores.csv"], "costs.csv", 1.0, 1),
    ]
    plain = fingerprint(jobs)
    for file, job, same in (("costs.csv", 2, True), ("forgetting_cost.csv", 1, True), ("scores.csv", 0, False)):
        changed = [
            each if place != job else each | {"outputs": {"out": {file: "2" * 64}}} for place, each in enumerate(jobs)
        ]
        assert (fingerprint(changed) == plain) is same, file
    assert plain == fingerprint(jobs[:1])
