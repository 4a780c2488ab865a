"""A small study through a real Slurm of one host, with three of its jobs made to fail at their first attempt.

`make test-slurm` runs this, nothing else does: it installs Debian's Slurm packages for its time, as root.
"""

import os
import re
import signal
import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

from workflow_copy import Copy

HOST = Path(__file__).with_name("one_host.sh")
PROFILE = "workflow/profiles/slurm"
SCORES = "results/tiny/scores.csv"
TINY = """
extends: smoke
models: {llava: {training: {base: {epochs: 1}, vanilla: {epochs: 1}}}}
methods:
  npo: {learning_rate: 1.0e-4, epochs: 1, batch_size: 4}
  manu: {prune_ratio: 10}
capacity: {prune_ratios: []}
ablation: {}
figures: [tradeoff]
"""
JOBS = {  # of scores.csv, by rule
    "generate_benchmark": 1,
    "train": 3,
    "unlearn": 1,
    "measure_statistics": 1,
    "select_neurons": 1,
    "evaluate": 4,
    "make_scores": 1,
}
MODEL_JOBS = {rule for rule in JOBS if rule.startswith(("train", "unlearn", "measure", "evaluate"))}
EDITS = {  # of the profile: this host's memory, and how the three jobs fail
    "4000 * attempt": "1500 * attempt",
    "16000 * attempt": "2000 * attempt",
    "measure_statistics: *model": "measure_statistics: {<<: *model, mem_mb: 300 * 10 ** (attempt - 1)}",
    "evaluate: *model": "evaluate: {<<: *model, runtime: 1 if wildcards.method == 'vanilla' and attempt == 1 else 30}",
    "before-status-checks: 20": "before-status-checks: 3",
}
KILLED, STALLED, STARVED = "train", "evaluate", "measure_statistics"
FAILURES = [  # what the stages of the first two write, and what they get
    (KILLED, "results/tiny/llava/seed0/base/checkpoint", signal.SIGKILL),
    (STALLED, "results/tiny/answers/llava/seed0/vanilla.parquet", signal.SIGSTOP),
]


class Job(NamedTuple):
    """One try of a job, as Slurm had it."""

    state: str
    gpus: int
    log: Path


def tiny_copy(folder: Path) -> Copy:
    """A copy of the repository with the study `tiny`: one model, two methods."""
    copy = Copy(folder, "tiny")
    (copy.folder / "config/studies/tiny.yaml").write_text(TINY)
    return copy


def signal_first_try(copy: Copy, rule: str, output: str, number: signal.Signals) -> None:
    """Send a signal to the stage that writes `output` at the first try of its job, if that comes to it."""
    while len(list(copy.folder.glob(f"logs/slurm/rule_{rule}/**/*.log"))) < 2:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if output in command and (process / "cwd").resolve() == copy.folder:
                    os.kill(int(process.name), number)
                    return
            except OSError:  # it ended meanwhile
                continue
        time.sleep(0.2)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A running Slurm of one host."""
    folder = tmp_path_factory.mktemp("host")
    up = subprocess.run([HOST, "up", folder], capture_output=True, text=True)
    try:
        if up.returncode:
            pytest.fail(up.stderr, pytrace=False)
        yield
    finally:
        subprocess.run([HOST, "down", folder], check=True)


@pytest.fixture(scope="session")
def on_slurm(slurm, tmp_path_factory):
    """The study as it ran on Slurm, what Snakemake said, and the jobs in Slurm's list.

    The profile is edited as a user would; the stage of one job is killed and that of another never goes on, each at
    its first attempt; a third job gets too little memory at first.
    """
    copy = tiny_copy(tmp_path_factory.mktemp("slurm"))
    profile = copy.folder / PROFILE / "config.yaml"
    text = profile.read_text()
    for old, new in EDITS.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    profile.write_text(text)
    for failure in FAILURES:
        threading.Thread(target=signal_first_try, args=(copy, *failure), daemon=True).start()
    done = copy.snakemake("--workflow-profile", PROFILE, SCORES)
    assert done.returncode == 0, done.stdout
    return copy, done.stdout, jobs_of(copy)


def jobs_of(copy: Copy) -> dict[str, list[Job]]:
    """Every job that Slurm had, by rule, oldest first."""
    columns = "JobID:20,State:20,Comment:300,tres-per-job:100"
    listed = subprocess.run(
        ["squeue", "--noheader", "--states=all", "--sort=i", f"--Format={columns}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    jobs = defaultdict(list)
    for line in listed.splitlines():
        number, state, comment, requested = line.split()
        rule = re.match(r"rule_([a-z_]+?)(?:_wildcards_|$)", comment)[1]
        gpus = re.search(r"gpu:(\d+)", requested)
        [log] = copy.folder.glob(f"logs/slurm/rule_{rule}/**/{number}.log")
        jobs[rule].append(Job(state, int(gpus[1]) if gpus else 0, log))
    return dict(jobs)


def test_every_stage_ran_in_a_slurm_job_of_its_own(on_slurm):
    _, output, jobs = on_slurm
    completed = {rule: [job.log for job in tries if job.state == "COMPLETED"] for rule, tries in jobs.items()}
    assert {rule: len(logs) for rule, logs in completed.items()} == JOBS
    last_line = re.compile(r"\(\d+ s\)$", re.MULTILINE)  # of a stage: in its job's log, and nowhere else
    assert all(len(last_line.findall(log.read_text())) == 1 for logs in completed.values() for log in logs)
    assert not last_line.search(output)


def test_a_job_that_runs_a_model_gets_one_gpu(on_slurm):
    *_, jobs = on_slurm
    assert {rule: {job.gpus for job in tries} for rule, tries in jobs.items()} == {
        rule: {int(rule in MODEL_JOBS)} for rule in JOBS
    }


def test_the_scores_are_those_of_a_local_run(on_slurm, tmp_path):
    copy, *_ = on_slurm
    local = tiny_copy(tmp_path)
    done = local.snakemake("--cores", "2", SCORES)
    assert done.returncode == 0, done.stdout
    assert (local.folder / SCORES).read_bytes() == (copy.folder / SCORES).read_bytes()


@pytest.mark.parametrize(
    "rule, state, reason",
    [
        (KILLED, "FAILED", "SIGKILL|exit status 137"),
        (STALLED, "TIMEOUT", "DUE TO TIME LIMIT"),
        (STARVED, "FAILED", "Exceeded job memory limit"),
    ],
    ids=["it dies", "it is over its time", "it is over its memory"],
)
def test_a_job_that_fails_is_reported_with_its_log_and_tried_again(on_slurm, rule, state, reason):
    _, output, jobs = on_slurm
    first, second = jobs[rule]
    assert (first.state, second.state) == (state, "COMPLETED")
    assert re.search(reason, first.log.read_text())
    report = output.split(f"Error in rule {rule}:")[1].split("Trying to restart job")[0]
    assert f"SLURM status is: '{state}'" in report
    assert f"{first.log} (check log file(s) for error details)" in report
