"""What the workflow says on the terminal: its progress, errors and the closing summary.

Each stage reports its finished job itself, in one line; of Snakemake's own messages the terminal keeps the
table of jobs, the count of finished ones, warnings and errors. Snakemake's `quiet: rules` would hide errors
too. Everything is still in .snakemake/log/, and a dry run says all.
"""

import logging

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import DefaultFilter, logger
from snakemake_interface_logger_plugins.common import LogEvent

from manu.core.errors import UserError
from manu.jobs.summary import part_summary, summary
from manu.study.model import Study

_HIDDEN_EVENTS = {LogEvent.JOB_INFO, LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.RESOURCES_INFO}
_HIDDEN_MESSAGES = (
    "Assuming unrestricted shared filesystem",
    "Building DAG of jobs",
    "Using shell",
    "Select jobs to execute",
    "Complete log(s)",
)


def closing_text(study: Study, only: str = "") -> str:
    """The summary of a finished study, or of the cells that `only` names (manu.study.cells).

    After a run with another target, which leaves the study unfinished, the text says what is missing.
    """
    try:
        return part_summary(study, only) if only else summary(study)
    except UserError as error:
        return str(error)


def quieten(study: Study, only: str = "") -> None:
    """Let Snakemake's terminal output through a filter; when nothing is to be done, say so and add the summary.

    only: as for `closing_text`.
    """
    for handler in logger.handlers:
        if not any(isinstance(f, DefaultFilter) and f.dryrun for f in handler.filters):
            handler.addFilter(lambda record: _keep(record, study, only))


def _keep(record: logging.LogRecord, study: Study, only: str) -> bool:
    if record.msg == NOTHING_TO_BE_DONE_MSG:
        try:
            text = part_summary(study, only) if only else summary(study)
            what = "these cells of study" if only else "study"
            record.msg = f"{what} '{study.name}' {'are' if only else 'is'} complete: nothing to do\n\n{text}"
        except UserError:  # a single target was asked for, and that is there: Snakemake's own words are right
            return True
    if getattr(record, "event", None) == LogEvent.JOB_ERROR:  # the stage's own source files are no help here
        shown = vars(record)
        shown["input"] = [path for path in shown["input"] or () if not path.endswith(".py")]
    return getattr(record, "event", None) not in _HIDDEN_EVENTS and not str(record.msg).startswith(_HIDDEN_MESSAGES)
