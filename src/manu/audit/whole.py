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
from manu.audit.replay import check_replayed, is_replayable
from manu.audit.trace import Tracer, check_numbers
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
            report.fail(finding.where, finding.what, computed=True)
        report.notes += part.notes
        report.counts += part.counts
    check_traced(chain, records, report)
    report.fingerprint = fingerprint(records, lambda file: chain.checksum(file) or chain.left_out.get(file))
    return report


def check_job(record: Mapping) -> Report:
    """Compute a job's answers or outputs again. Any exception is a failure of the audit, since files may be broken."""
    report = Report()
    try:
        (check_answers if record["stage"] in ANSWERING else check_replayed)(record, report)
    except Exception as error:  # a broken file can raise anything
        report.fail(next(iter(files(record["outputs"]))), f"cannot be checked: {_in_words(error)}")
    return report


def check_traced(chain: Chain, records: Iterable[Mapping], report: Report) -> None:
    """Follow every number of every table and figure to its answers, as the audit of a single number does.

    Counts "numbers".
    """
    tracer = Tracer(chain, examples=0, replayed=True)
    for file in (file for record in records for file in files(record["outputs"]) if file.endswith(".csv")):
        try:
            numbers = tracer.numbers(file) if tracer.holds_numbers(file) else []
            report.counts["numbers"] += len(numbers)
            check_numbers(numbers, report)
        except Exception as error:
            report.fail(file, f"cannot be traced: {_in_words(error)}", computed=True)


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


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
