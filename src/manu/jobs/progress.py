"""What the workflow says on the terminal: its progress, errors and the closing summary.

Each stage reports its finished job itself, in one line; of Snakemake's own messages the terminal keeps the table of
jobs, the count of finished ones (with the time that is left), warnings and errors. Snakemake's `quiet: rules` would
hide errors too. Everything is still in .snakemake/log/, and a dry run says all.
"""

import logging
from collections.abc import Collection

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import DefaultFilter, logger
from snakemake_interface_logger_plugins.common import LogEvent

from manu.core.errors import UserError
from manu.jobs.summary import part_summary, summary
from manu.jobs.time_left import TimeLeft, in_words
from manu.study.model import Study

_HIDDEN_EVENTS = {LogEvent.JOB_INFO, LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.RESOURCES_INFO}
_HIDDEN_MESSAGES = (
    "Assuming unrestricted shared filesystem",
    "Building DAG of jobs",
    "Using shell",
    "Select jobs to execute",
    "Complete log(s)",
)
_STOPPED = "WorkflowError:\nAt least one job did not complete successfully."  # by an error, SIGTERM or Ctrl-C
_NEXT = "The study is not finished. The same command continues where it stopped; finished jobs are kept."


def closing_text(study: Study, only: str = "") -> str:
    """The summary of a finished study, or of the cells that `only` names (manu.study.cells).

    After a run with another target, which leaves the study unfinished, the text says what is missing.
    """
    try:
        return part_summary(study, only) if only else summary(study)
    except UserError as error:
        return str(error)


def quieten(study: Study, only: str = "", long_rules: Collection[str] = ()) -> None:
    """Let Snakemake's terminal output through a filter; when nothing is to be done, say so and add the summary.

    only: as for `closing_text`; long_rules: those whose jobs run a model.
    """
    time_left = TimeLeft(study.name, long_rules)
    shown = [
        each for each in logger.handlers if not any(isinstance(f, DefaultFilter) and f.dryrun for f in each.filters)
    ]
    for handler in shown:
        handler.addFilter(lambda record: _keep(record, study, only, time_left))
    if shown:  # not in a dry run
        logger.addHandler(time_left)


def _keep(record: logging.LogRecord, study: Study, only: str, time_left: TimeLeft) -> bool:
    event, said = getattr(record, "event", None), vars(record)
    if record.msg == NOTHING_TO_BE_DONE_MSG:
        try:
            text = part_summary(study, only) if only else summary(study)
            what = "these cells of study" if only else "study"
            record.msg = f"{what} '{study.name}' {'are' if only else 'is'} complete: nothing to do\n\n{text}"
        except UserError:  # a single target was asked for, and that is there: Snakemake's own words are right
            return True
    if event == LogEvent.JOB_ERROR:  # the stage's own source files are no help here
        said["input"] = [path for path in said["input"] or () if not path.endswith(".py")]
    if str(record.msg).startswith(_STOPPED):
        record.msg = _NEXT
    if event == LogEvent.PROGRESS:
        said |= {"event": None, "msg": _progress(said["done"], said["total"], time_left.seconds(record.created))}
    return event not in _HIDDEN_EVENTS and not str(record.msg).startswith(_HIDDEN_MESSAGES)


def _progress(done: int, total: int, seconds: float | None) -> str:
    """`12 of 97 jobs (12 %), about 3 minutes left`."""
    text = f"{done} of {total} jobs ({100 * done // total} %)"
    return f"{text}, {in_words(seconds)} left" if seconds is not None and done < total else text
