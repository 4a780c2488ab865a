"""The jobs of a study as data, from the workflow itself: nothing restates which jobs there are."""

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manu.core.errors import UserError
from manu.provenance.record import record_path

TARGETS = ("all", "robustness")
MANY = "4096"  # cores and GPUs of a run that starts no job: no limit for the jobs that use several


@dataclass(frozen=True)
class Job:
    """One job. keys: model, seed, ratio, method and so on; settings: what it may read of the study, in `settings_file`;
    gpus: 0 for a job that runs no model; command: what the workflow runs, with the dry run's place of the settings."""

    rule: str
    step: str
    keys: dict[str, Any]
    settings_file: str
    settings: dict[str, Any]
    inputs: list[str]
    outputs: list[str]
    threads: int
    gpus: int
    command: str = ""

    @property
    def runs_model(self) -> bool:
        """Whether the job gets a GPU where there is one."""
        return self.gpus > 0

    @property
    def record(self) -> str:
        """The job's record, one of its outputs."""
        return record_path(self.settings_file).as_posix()


def jobs_of(study: str | Path, target: str = "all") -> list[Job]:
    """Every job of a study for one target, finished ones included, from a dry run of the workflow. Nothing is run, and
    nothing is written in the working folder.

    study: name or file. Raises UserError with the workflow's own words if it cannot be planned.
    """
    with tempfile.TemporaryDirectory(prefix="manu-jobs-") as folder:
        file = Path(folder) / "jobs.jsonl"
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", "--nolock"]
        command += ["--cores", MANY, "--resources", f"gpu={MANY}"]
        command += ["--config", f"study={study}", f"jobs={file}", "gpu=1", "--", target]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            mistakes = [line.removeprefix("error: ") for line in done.stdout.splitlines() if line.startswith("error: ")]
            last = re.sub(r"\s+", " ", done.stdout).strip()[-500:]
            raise UserError(mistakes[0] if mistakes else f"the workflow cannot be planned: {last}")
        jobs = [Job(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    if not jobs:  # every study has some, and an audit of none would pass
        raise UserError(f"the workflow lists no job of study {study}: its own log of jobs was not heard")
    return jobs
