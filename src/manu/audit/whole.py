"""The audit of a whole study: records, answers, and every number."""

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from manu.audit.answers import ANSWERING, check_answers
from manu.audit.chain import Chain, check_chain
from manu.audit.findings import Report
from manu.audit.replay import check_origins, check_replayed, is_replayable
from manu.provenance.lineage import files, fingerprint
from manu.study.loading import read_study


def audit_study(study: str | Path, progress: Callable[[Iterable, int], Iterable] = lambda work, total: work) -> Report:
    """Audit a study in the working folder, on all processors.

    study: name or file. progress: wraps the iteration over the jobs to check; its second argument is their number.
    """
    chain, report = Chain(read_study(study).name), Report()
    expected = check_chain(chain, study, report)
    records = [chain.jobs[name] for name in chain.ordered() if name in expected]
    checks = [record for record in records if record["stage"] in ANSWERING or is_replayable(record)]
    for part in progress(_in_parallel(checks), len(checks)):
        for finding in part.findings:
            report.fail(finding.where, finding.what)
        report.notes += part.notes
        report.counts += part.counts
    report.fingerprint = fingerprint(chain.jobs.values())
    return report


def check_job(record: Mapping) -> Report:
    """Compute a job's answers or outputs again. Any exception is a failure of the audit, since files may be broken."""
    report = Report()
    checks = [check_answers] if record["stage"] in ANSWERING else [check_replayed, check_origins]
    for check in checks:
        try:
            check(record, report)
        except Exception as error:  # a broken file can raise anything
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            report.fail(next(iter(files(record["outputs"]))), f"cannot be checked: {what}")
    return report


def _in_parallel(records: list[dict]) -> Iterable[Report]:
    workers = min(os.cpu_count() or 1, len(records))
    if workers < 2 or multiprocessing.current_process().daemon:
        yield from map(check_job, records)
        return
    context = multiprocessing.get_context("spawn")  # torch and Arrow have threads, which a fork would lose
    # A job's warnings are in its own log.
    quiet = partial(logging.disable, logging.WARNING)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=quiet) as pool:
        yield from pool.map(check_job, records)
