"""How many jobs are done and how long the others take, from Snakemake's own events."""

import inspect
import logging
from types import SimpleNamespace

import pytest
from snakemake.api import SnakemakeApi  # noqa: F401  (first: its modules import each other)
from snakemake.jobs import Job
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.workflow import Workflow
from snakemake_interface_logger_plugins.common import LogEvent

from manu.jobs.progress import _keep
from manu.jobs.time_left import TimeLeft, in_words


def event(kind, time, **said):
    record = logging.makeLogRecord({"msg": None, "event": kind, **said})
    record.created = float(time)
    return record


@pytest.fixture
def time_left(tmp_path, monkeypatch):
    """At time 0 a run begins: two jobs that train, three that ask, one that draws."""
    monkeypatch.chdir(tmp_path)
    left = TimeLeft("mini", long_rules=["train", "ask"])
    left.emit(event(LogEvent.RUN_INFO, 0, stats={"train": 2, "ask": 3, "draw": 1, "total": 6}))
    return left


def run(left, job, rule, start, end):
    left.emit(event(LogEvent.JOB_INFO, start, jobid=job, rule_name=rule))
    left.emit(event(LogEvent.JOB_FINISHED, end, job_id=job))


def test_nothing_is_said_while_a_long_rule_is_not_measured(time_left):
    assert time_left.seconds(0) is None
    run(time_left, 1, "train", 0, 100)
    assert time_left.seconds(100) is None


def test_the_jobs_that_wait_take_as_long_as_those_of_their_rule_took(time_left):
    run(time_left, 1, "train", 0, 100)
    run(time_left, 2, "ask", 100, 120)
    assert time_left.seconds(120) == 100 + 2 * 20  # the figure counts nothing: no figure is drawn yet


def test_a_running_job_counts_what_is_left_of_it(time_left):
    run(time_left, 1, "train", 0, 100)
    run(time_left, 2, "ask", 100, 120)
    time_left.emit(event(LogEvent.JOB_INFO, 120, jobid=3, rule_name="train"))
    assert time_left.seconds(150) == 140 - 30


def test_two_jobs_at_once_halve_the_time(time_left):
    time_left.emit(event(LogEvent.JOB_INFO, 0, jobid=1, rule_name="train"))
    run(time_left, 2, "train", 0, 100)
    time_left.emit(event(LogEvent.JOB_FINISHED, 100, job_id=1))
    time_left.emit(event(LogEvent.JOB_INFO, 100, jobid=3, rule_name="ask"))
    run(time_left, 4, "ask", 100, 120)
    time_left.emit(event(LogEvent.JOB_FINISHED, 120, job_id=3))
    assert time_left.seconds(120) == 20 / 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (20, "less than a minute"),
        (61, "about 1 minute"),
        (170, "about 3 minutes"),
        (3600, "about 60 minutes"),
        (9000, "about 2 hours"),
    ],
)
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words


def test_the_line_counts_jobs_and_says_how_long(time_left):
    record = event(LogEvent.PROGRESS, 120, done=12, total=97)
    assert _keep(record, SimpleNamespace(), "", time_left) and record.msg == "12 of 97 jobs (12 %)"
    run(time_left, 1, "train", 0, 100)
    run(time_left, 2, "ask", 100, 120)
    record = event(LogEvent.PROGRESS, 120, done=12, total=97)
    assert _keep(record, SimpleNamespace(), "", time_left)
    assert record.msg == "12 of 97 jobs (12 %), about 2 minutes left" and record.event is None


def test_a_run_that_stopped_says_how_it_goes_on(time_left):
    record = logging.makeLogRecord({"msg": "WorkflowError:\nAt least one job did not complete successfully."})
    assert _keep(record, SimpleNamespace(), "", time_left)
    assert record.msg.endswith("The same command continues where it stopped; finished jobs are kept.")
    assert "At least one job did not complete successfully." in inspect.getsource(Workflow.execute)


def test_snakemake_says_what_the_time_is_told_from():
    changed = "Snakemake's {} no longer says {}: see time_left.py"
    for source, parts in {
        Workflow.execute: ("event=LogEvent.RUN_INFO, stats=stats_dict",),
        Job.log_info: ("jobid=self.dag.jobid(self)", "rule_name=self.rule.name"),
        JobScheduler: ("event=LogEvent.JOB_FINISHED, job_id=job.jobid",),
        JobScheduler.progress: ("done=self.finished_jobs", "total=len(self.workflow.dag)"),
    }.items():
        for part in parts:
            assert part in inspect.getsource(source), changed.format(source.__qualname__, part)
