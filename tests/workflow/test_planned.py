"""`manu plan` on the real workflow: its jobs are those that a dry run counts."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from workflow_copy import Copy


@pytest.mark.parametrize("study", ["smoke", "paper"])
def test_the_plan_has_the_jobs_of_the_workflow_and_runs_none(tmp_path, study):
    copy = Copy(tmp_path, study)
    done = subprocess.run(
        [sys.executable, "-m", "manu.cli", "plan", "--study", study, "--json"],
        cwd=copy.folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(copy.folder / "src")},
    )
    assert done.returncode == 0, done.stderr
    plan, (jobs, _) = json.loads(done.stdout), copy.planned()
    assert plan["total"]["jobs"] == sum(jobs.values())
    assert {row["rule"]: row["jobs"] for row in plan["rules"][:-1]}.items() <= jobs.items()
    assert all(row["seconds"] > 0 and row["host_bytes"] > 0 for row in plan["rules"])
    assert not list(copy.folder.glob("results/**/*.safetensors"))
    if study == "paper":
        assert plan["device"]["name"] == "h100"
        assert plan["models"]["llava"]["parameters"] == 7_063_427_072
        assert plan["total"]["download_bytes"] > 30e9
        assert not [warning for warning in plan["warnings"] if "does not fit" in warning]


def test_results_copied_without_snakemakes_own_files_are_finished_by_their_records(copy, tmp_path):
    apart = shutil.ignore_patterns(".snakemake")
    shutil.copytree(copy.folder, tmp_path / "copied", ignore=apart, symlinks=True, copy_function=shutil.copy)
    copied = Copy.made(tmp_path / "copied", copy.study)
    for number, path in enumerate(sorted((copied.folder / "results").rglob("*"), reverse=True)):
        os.utime(path, (number, number))  # as a copy may leave them
    jobs, _ = copied.planned()
    assert jobs == {}
    answers = copied.folder / "results/smoke/answers/llava/seed0/forget10/ga.parquet"
    answers.write_bytes(answers.read_bytes()[:-4])
    jobs, _ = copied.planned()
    assert jobs["evaluate"] == 1 and "train" not in jobs and jobs["make_scores"] == 1
