"""The places where the workflow reaches into Snakemake itself, because no option does it. Tested with Snakemake 9.27.

Without them a study still runs. When Snakemake changes, tests/unit/test_snakemake_internals.py says which one is gone.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def remove_rate_limit(workflow: Any) -> None:
    """Start jobs without Snakemake's limit of a hundred a second.

    With a limit the scheduler wakes up once more for every job that has ended and looks at all files: with 200 jobs a
    fifth of a core. The option --max-jobs-per-timespan changes the limit, but cannot remove it.
    """
    if hasattr(workflow.scheduler, "job_rate_limiter"):
        workflow.scheduler.job_rate_limiter = None


def accept_any_date(workflow: Any) -> None:
    """Accept a job's outputs whatever their dates: content decides what runs again.

    Snakemake fails a job whose inputs are dated later than its outputs, as happens when the clock was set back.
    """

    async def accept(job: Any, outputs: Any) -> None:
        """In place of DAG.check_output_mtime."""

    if hasattr(workflow.dag, "check_output_mtime"):
        workflow.dag.check_output_mtime = accept


def file_is_there(workflow: Any, file: str) -> None:
    """Make a file known that was written after Snakemake listed its folder, such as a new job's settings.

    Snakemake lists a folder once and then takes a file that is not in its list for missing.
    """
    cache = getattr(workflow, "iocache", None)
    if cache is not None and hasattr(cache, "exists_local"):
        cache.exists_local[file] = True


def keep_state_in(workflow: Any, folder: Path) -> None:
    """Let Snakemake make its folders of what it remembers in `folder`, not in .snakemake where the results lie.

    It makes them for a dry run too, and there is no option for the place.
    """
    module: Any = sys.modules[type(workflow).__module__]
    persistence = getattr(module, "FilePersistence", None)
    if persistence:
        module.FilePersistence = lambda path=None, **options: persistence(path=folder, **options)


def records_behind(workflow: Any, files: Iterable[str]) -> list[str]:
    """The records of the job that makes each file, of the jobs that make that job's inputs, and so on; sorted."""
    waiting, known, records = list(files), set(files), set()
    while waiting:
        file = waiting.pop()
        for rule in workflow.rules:
            if rule.is_producer(file):
                wildcards = rule.get_wildcards(file)
                outputs = rule.expand_output(wildcards)[0]
                inputs = rule.expand_input(wildcards)[0]
                new = [str(path) for path in inputs if str(path) not in known]
                known.update(new)
                waiting += new
                records.add(str(outputs.record))
                break
    return sorted(records)
