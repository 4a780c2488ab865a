"""`manu plan` on the real workflow: its jobs are those that a dry run counts."""

import json
import os
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
