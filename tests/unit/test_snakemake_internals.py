"""What the workflow uses of Snakemake beside its documented interface. A failure names what a new version changed."""

import asyncio
import inspect
from types import SimpleNamespace

from snakemake.api import SnakemakeApi  # noqa: F401  (first: its modules import each other)
from snakemake.dag import DAG
from snakemake.exceptions import MissingRuleException
from snakemake.io import IOCache
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.workflow import Workflow

from manu.jobs import snakemake_internals
from manu.jobs.snakemake_internals import records_behind


def test_the_scheduler_has_a_limit_of_jobs_per_second_that_can_be_taken_away():
    source = inspect.getsource(JobScheduler)
    changed = "Snakemake's JobScheduler no longer keeps its limit in job_rate_limiter: see snakemake_internals.py"
    assert "self.job_rate_limiter = (" in source and "if self.job_rate_limiter is None:" in source, changed
    workflow = SimpleNamespace(scheduler=SimpleNamespace(job_rate_limiter="100/s"))
    snakemake_internals.remove_rate_limit(workflow)
    assert workflow.scheduler.job_rate_limiter is None


def test_the_dag_compares_dates_in_a_method_of_its_own():
    changed = "Snakemake's DAG no longer compares dates in check_output_mtime(job, outputs): see snakemake_internals.py"
    assert inspect.iscoroutinefunction(getattr(DAG, "check_output_mtime", None)), changed
    assert list(inspect.signature(DAG.check_output_mtime).parameters) == ["self", "job", "expanded_output"], changed
    assert "await self.check_output_mtime(job, expanded_output)" in inspect.getsource(DAG.check_and_touch_output), (
        changed
    )
    workflow = SimpleNamespace(dag=SimpleNamespace(check_output_mtime="compares"))
    snakemake_internals.accept_any_date(workflow)
    assert asyncio.run(workflow.dag.check_output_mtime(None, [])) is None


def test_the_folder_of_its_memory_is_given_to_a_class_of_its_own(monkeypatch, tmp_path):
    changed = "Snakemake's workflow no longer makes FilePersistence(path=...): see keep_state_in in snakemake_internals"
    module = inspect.getmodule(Workflow)
    assert "persistence = FilePersistence" in inspect.getsource(Workflow), changed
    monkeypatch.setattr(module, "FilePersistence", module.FilePersistence)
    snakemake_internals.keep_state_in(Workflow.__new__(Workflow), tmp_path / "memory")
    module.FilePersistence(path=None, nolock=True)
    assert (tmp_path / "memory").is_dir(), changed


class Dag:
    """Makes its jobs as Snakemake's DAG does, without waiting."""

    def __init__(self, made_from):
        self.made_from = made_from

    async def file2jobs(self, targetfile):
        if targetfile not in self.made_from:
            raise MissingRuleException(targetfile)
        output = SimpleNamespace(record=f"{targetfile}.record")
        return [SimpleNamespace(input=self.made_from[targetfile], output=output)]


def test_the_records_behind_files_are_those_of_all_jobs_before_them():
    workflow = SimpleNamespace(dag=Dag({"table": ["scores", "settings"], "scores": ["data"], "other": []}))
    assert records_behind(workflow, ["table", "scores"]) == ["scores.record", "table.record"]


def test_the_dag_makes_the_jobs_of_a_file_and_keeps_them():
    changed = "Snakemake's DAG changed {}: see records_behind in snakemake_internals.py"
    assert inspect.iscoroutinefunction(DAG.file2jobs), changed.format("file2jobs")
    assert "raise MissingRuleException(targetfile)" in inspect.getsource(DAG.file2jobs), changed.format("file2jobs")
    assert "self.cache_job(job)" in inspect.getsource(DAG.new_job), changed.format("new_job")


def test_snakemake_remembers_which_files_are_there():
    changed = "Snakemake's IOCache no longer keeps exists_local by file: see file_is_there in snakemake_internals.py"
    cache = IOCache(0)
    assert hasattr(cache, "exists_local"), changed
    snakemake_internals.file_is_there(SimpleNamespace(iocache=cache), "results/new/settings.yaml")
    assert "results/new/settings.yaml" in cache.exists_local, changed
    assert cache.exists_local["results/new/settings.yaml"] is True, changed


def test_nothing_is_changed_where_snakemake_has_it_no_more():
    workflow = SimpleNamespace(scheduler=SimpleNamespace(), dag=SimpleNamespace())
    snakemake_internals.remove_rate_limit(workflow)
    snakemake_internals.accept_any_date(workflow)
    assert not vars(workflow.scheduler) and not vars(workflow.dag)
