"""How long a run still takes, from how long its jobs took so far."""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from statistics import mean

from snakemake_interface_logger_plugins.common import LogEvent

from manu.core.errors import UserError
from manu.jobs.adopted import TOPS
from manu.provenance.hashes import RECORD_SUFFIX
from manu.provenance.record import read_record

MINUTE = 60.0  # seconds


class TimeLeft(logging.Handler):
    """Listens to Snakemake's log for the jobs that start and finish.

    The seconds of the jobs that still wait are, rule by rule, the mean of those that are finished; they are divided by
    the mean number of jobs that run at once. A rule of which no job has finished counts nothing if its jobs are short;
    if it is one of `long_rules`, nothing is known. Jobs that an earlier run of the study finished count as well.
    """

    def __init__(self, study: str, long_rules: Collection[str]) -> None:
        super().__init__()
        self.study, self.long_rules = study, long_rules
        self.took = defaultdict[str, list[float]](list)  # seconds of the finished jobs of each rule
        self.waiting = Counter[str]()  # jobs of each rule that are not finished, those that run included
        self.running: dict[int, tuple[str, float]] = {}  # job -> rule, when it started
        self.start = 0.0
        self.busy = 0.0  # seconds of this run's finished jobs

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of one event."""
        event, said = getattr(record, "event", None), vars(record)
        if event == LogEvent.RUN_INFO:
            self.waiting = Counter({rule: count for rule, count in said["stats"].items() if rule != "total"})
            self.start = record.created
            self._read_records()
        elif event == LogEvent.JOB_INFO:
            self.running[said["jobid"]] = said["rule_name"], record.created
        elif event == LogEvent.JOB_FINISHED and said["job_id"] in self.running:
            rule, start = self.running.pop(said["job_id"])
            self.took[rule].append(record.created - start)
            self.busy += record.created - start
            self.waiting[rule] -= 1

    def _read_records(self) -> None:
        for top in TOPS:
            for path in (Path(top) / self.study).rglob(f"*{RECORD_SUFFIX}"):
                with suppress(UserError):  # edited, or of an older version: its job runs again
                    record = read_record(path)
                    self.took[record["rule"]].append(record["cost"]["wall_seconds"])

    def seconds(self, now: float) -> float | None:
        """The seconds that are left at the time `now`; None where a long rule's jobs have not been measured."""
        rules = {rule for rule, count in self.waiting.items() if count}
        if any(rule in self.long_rules and not self.took[rule] for rule in rules):
            return None
        spent = sum(now - start for _, start in self.running.values())
        work = sum(self.waiting[rule] * mean(self.took[rule]) for rule in rules if self.took[rule])
        at_once = (self.busy + spent) / (now - self.start) if now > self.start else 0.0
        return max(work - spent, 0.0) / at_once if at_once else None


def in_words(seconds: float) -> str:
    """`less than a minute`, `about 3 minutes`, `about 5 hours`."""
    minutes, hours = round(seconds / MINUTE), round(seconds / MINUTE / MINUTE)
    if not minutes:
        return "less than a minute"
    if minutes < 100:
        return f"about {minutes} minute{'s' * (minutes > 1)}"
    return f"about {hours} hours"
