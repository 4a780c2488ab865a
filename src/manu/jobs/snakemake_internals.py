"""The places where the workflow reaches into Snakemake itself, because no option does it. Tested with Snakemake 9.27.

Without them a study still runs. When Snakemake changes, tests/unit/test_snakemake_internals.py says which one is gone.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from snakemake.exceptions import MissingRuleException


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
    """The records of the job that makes each file, of the jobs that make that job's inputs, and so on; sorted.

    These are the very jobs that Snakemake then goes on with: it makes none of them twice.
    """
    waiting, known, records = list(files), set(files), set()
    while waiting:
        for job in _jobs_that_make(workflow, waiting.pop()):
            new = [str(path) for path in job.input if str(path) not in known]
            known.update(new)
            waiting += new
            records.add(str(job.output.record))
    return sorted(records)


def _jobs_that_make(workflow: Any, file: str) -> list[Any]:
    """The job that makes a file; none for a file that no rule makes. DAG.file2jobs waits for remote files alone."""
    try:
        workflow.dag.file2jobs(file).send(None)
    except StopIteration as done:
        return done.value
    except MissingRuleException:
        return []
    raise RuntimeError(f"{file}: an input of its job is not on this machine")
