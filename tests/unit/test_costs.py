"""What edits cost, by hand: three methods of one run, their records, and what the fingerprint leaves out."""

import pandas as pd
import pytest
from made_rows import outcomes, record

from manu.analysis.tables import costs
from manu.core.errors import UserError
from manu.provenance.lineage import fingerprint

FOLDER = "results/tiny/llava/seed0/forget05"
SUFFIX = ".provenance.json"


def records() -> dict[str, dict]:
    """manu's mask is chosen from statistics, ga is trained from vanilla, whose own record is not asked for."""
    statistics, vanilla = f"{FOLDER}/statistics/modality.safetensors", "results/tiny/llava/seed0/vanilla/checkpoint/m"
    jobs = {
        "retain_only/train": ([], f"{FOLDER}/retain_only/checkpoint/m", 64.0, 900),
        "ga/unlearn": ([vanilla], f"{FOLDER}/ga/checkpoint/m", 8.0, 800),
        "statistics/modality": ([vanilla], statistics, 2.0, 700),
        "manu/select_neurons": ([statistics], f"{FOLDER}/manu/mask", 0.5, 600),
    }
    return {
        f"{FOLDER}/{name}{SUFFIX}": record(
            name.partition("/")[2], dict.fromkeys(reads, "1"), {writes: "1"}, seconds=seconds, memory=memory
        )
        for name, (reads, writes, seconds, memory) in jobs.items()
    }


def achieved() -> pd.DataFrame:
    """Forgetting success, balance and retention of every method; by name, vanilla knows no more than retain_only."""
    rows: list[dict] = []
    for method, success in (("vanilla", 0.0), ("retain_only", 1.0), ("ga", 0.75), ("manu", 0.25)):
        forgets = {"method": method, "metric": "forgetting_success", "n": 25}
        rows += [
            forgets
            | {"modality": "multimodal", "value": success, "ci_low": success - 0.125, "ci_high": success + 0.125},
            forgets | {"modality": "text", "value": None},
            {"method": method, "metric": "balanced_forgetting", "value": success / 2},
            {"method": method, "metric": "retention", "split": "retain", "value": 1 - success / 2},
        ]
    return outcomes(*rows)


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


def test_the_fingerprint_leaves_out_what_shows_times():
    jobs = [
        record("aggregate", {"a.parquet": "1"}, {"scores.csv": "1"}),
        record("draw", {"costs.csv": "1"}, {"forgetting_cost.csv": "1"}),  # listed before what it was made from
        record("tabulate_costs", {f"unlearn{SUFFIX}": "1", "scores.csv": "1"}, {"costs.csv": "1"}),
    ]
    plain = fingerprint(jobs)
    for file, job, same in (("costs.csv", 2, True), ("forgetting_cost.csv", 1, True), ("scores.csv", 0, False)):
        changed = [
            each if place != job else each | {"outputs": {"out": {file: "2" * 64}}} for place, each in enumerate(jobs)
        ]
        assert (fingerprint(changed) == plain) is same, file
    assert plain == fingerprint(jobs[:1])
