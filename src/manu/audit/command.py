"""The command `manu audit`."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manu.audit.chain import TOPS, Chain, job_problems
from manu.audit.findings import Report, causes, lines_of
from manu.core.errors import UserError
from manu.core.progress import progress
from manu.study.loading import read_study

README = "README.md"
_COUNT = re.compile("all|[1-9][0-9]*")


@dataclass(frozen=True)
class Request:
    """What to audit: exactly one of `file`, `all`, `retrain`, `reference` and `diff`.

    row, column: of the file's table. retrain: a cell whose job runs again. reference: the snapshots in git. diff: two
    finished studies. reask: how many answers of each file the models give again, or "all"; seed: of their drawing, a
    fresh one by default. study: for `all`, `retrain` and README.md. json: print the answer as JSON.
    """

    file: str | None = None
    row: str | None = None
    column: str | None = None
    all: bool = False
    retrain: str | None = None
    reference: bool = False
    diff: tuple[str, str] | None = None
    reask: str | None = None
    seed: int | None = None
    study: str = "mini"
    json: bool = False


def audit(given: Request) -> tuple[str, int]:
    """Text to print, and the exit code: 0 if the audit passes, 1 if not. Raises UserError."""
    wanted = [given.file is not None, given.all, given.retrain is not None, given.reference, given.diff is not None]
    if sum(wanted) != 1:
        raise UserError(
            "audit one thing: a file, --all, --retrain CELL, --reference or --diff A B; see manu audit --help"
        )
    if (given.row or given.column) and given.file is None:
        raise UserError("--row and --column pick numbers of a file: manu audit FILE --row ... --column ...")
    if given.reask is not None and (not (given.file or given.all) or not _COUNT.fullmatch(given.reask)):
        raise UserError(
            "--reask N asks for N answers of each file again, at least 1, or all; with a file or with --all"
        )
    if given.seed is not None and (given.reask is None or given.seed < 0):
        raise UserError("--seed S, at least 0, draws the questions of --reask")
    if given.diff:
        result, text, code = _diff(*given.diff)
    elif given.retrain:
        result, text, code = _retrain(given, given.retrain)
    elif given.reference:
        result, text, code = _reference()
    else:
        result, text, code = _file(given, given.file) if given.file else _all(given)
    return (json.dumps(result, indent=1, ensure_ascii=False, default=str) if given.json else text), code


def _all(given: Request) -> tuple[dict, str, int]:
    from manu.audit.whole import audit_study

    study = read_study(given.study)
    chain = Chain(study.name)
    report = audit_study(given.study, lambda work, total: progress(work, "audit", total))
    asked, lines_asked = _asked(given, chain, None, report)
    result = {
        "study": study.name,
        "fingerprint": report.fingerprint,
        "counts": dict(report.counts),
        "notes": report.notes,
        "asked_again": asked,
    }
    counts = report.counts
    lines = [f"Study '{study.name}'"]
    lines += [
        f"  {counts['jobs']} jobs, each with its record; {counts['files']} files compared with their checksums",
        f"  {counts['answers']} answers compared with the benchmark and scored again",
        *([f"  {counts['diverged']} runs diverged and have no answers"] if counts["diverged"] else []),
        f"  {counts['outputs computed again']} outputs computed again: {counts['cells']} cells compared",
        f"  {counts['numbers']} numbers in tables, figures and the README's block traced to their answers or masks",
    ]
    lines += [f"  note: {note}" for note in report.notes] + [f"  {line}" for line in lines_asked]
    lines.append(f"  fingerprint of the outputs: {report.fingerprint}")
    failed, last, code = _outcome(report, chain)
    return result | failed, "\n".join([*lines, *last]), code


def _diff(one: str, other: str) -> tuple[dict, str, int]:
    from manu.audit import difference

    result = difference.compare_studies(difference.open_study(one), difference.open_study(other))
    same = not (result["differ"] or result["only_in_one"] or result["only_in_other"])
    return result, difference.text(result, one, other), int(not same)


def _retrain(given: Request, cell: str) -> tuple[dict, str, int]:
    from manu.audit import retrain

    chain, report = Chain(read_study(given.study).name), Report()
    made, lines = [], []
    for name in retrain.jobs_of_cell(chain, cell):
        for what, where in job_problems(chain, name):
            report.fail(where, what)
        result = retrain.retrain(chain, name)
        made.append(result)
        differ = f"{len(result['differ'])} of {result['files']} files differ" if result["differ"] else "the same bytes"
        lines += [f"{name}: its job ran again in {result['seconds']:.0f} s: {result['files']} files, {differ}"]
        lines += [f"  {line}" for line in (*result["elsewhere"], *result["spread"])]
        if result["differ"] and not result["elsewhere"]:
            report.fail(name, "its job writes something else on the same kind of machine with the same packages")
    failed, last, code = _outcome(report, chain)
    return {"jobs": made} | failed, "\n".join([*lines, *last]), code


def _reference() -> tuple[dict, str, int]:
    from manu.audit import snapshots

    report = Report()
    snapshots.check_snapshots(report)
    counts = report.counts
    lines = [
        f"{counts['snapshots']} snapshots: {counts['files']} files compared with {snapshots.CHECKSUMS}",
        f"{counts['computed again']} of {counts['tables']} tables computed again: {counts['cells']} numbers",
        *(f"note: {note}" for note in report.notes),
    ]
    failed, last, code = _outcome(report)
    return {"counts": dict(counts), "notes": report.notes} | failed, "\n".join([*lines, *last]), code


def _file(given: Request, named: str) -> tuple[dict, str, int]:
    from manu.audit import story, trace
    from manu.audit.replay import check_readme

    file = f"results/{given.study}/readme.csv" if named == README else Path(named).as_posix()
    parts = Path(file).parts
    if len(parts) < 3 or parts[0] not in TOPS:
        places = ", ".join(f"{top}/<study>/" for top in TOPS)
        raise UserError(f"{named} is no output of a study: those lie in {places}")
    if not Path(file).is_file():
        raise UserError(f"{file} does not exist; make study STUDY={parts[1]} makes a study's outputs")
    one_story = bool(given.row and given.column)
    examples = None if given.json and one_story else trace.EXAMPLES if given.json or one_story else 0
    tracer, report = trace.Tracer(Chain(parts[1]), examples), Report()
    numbers: list[dict] = []
    if tracer.holds_numbers(file):
        table = tracer.table_of(file)
        numbers = tracer.numbers(table, given.row, given.column)
        trace.check_numbers(numbers, report)
        jobs = tracer.jobs(numbers)
        lines = [f"{file}: {len(numbers)} numbers\n{story.text_list(numbers)}"]
        if one_story:
            lines = ["\n\n".join(story.text_tree(tracer, number) for number in numbers)]
    elif given.row or given.column:
        raise UserError(f"{file} is no table of results: --row and --column do not apply")
    else:
        jobs = tracer.jobs([{"file": file}])
        lines = [file, story.text_jobs(tracer, file, jobs)]
    if named == README:
        check_readme(Path(f"results/{given.study}/readme.md"), given.study, report)
    for name in jobs:
        for what, where in job_problems(tracer.chain, name):
            report.fail(where, what)
    answers = (trace.answers_behind(numbers) if numbers else {file: None}) if given.reask else {}
    asked, lines_asked = _asked(given, tracer.chain, answers, report)
    failed, last, code = _outcome(report, tracer.chain)
    lines += [*lines_asked, *(f"note: {note}" for note in report.notes), *last]
    result = {
        "numbers": numbers,
        "jobs": [tracer.job(name) for name in jobs],
        "asked_again": asked,
    }
    return result | failed, "\n".join(lines), code


def _asked(
    given: Request, chain: Chain, answers: Mapping[str, Sequence[int] | None] | None, report: Report
) -> tuple[dict[str, Any], list[str]]:
    """Ask for answers again, as `--reask` says; the result, and lines about it.

    answers: files, and the rows of each that count (None: all); None: all files of the study.
    """
    if given.reask is None:
        return {}, ["no answer was asked for again (--reask 100)"] if answers is None else []
    import numpy as np

    from manu.audit import reask

    seed = secrets.randbits(32) if given.seed is None else given.seed
    rng, count = np.random.default_rng(seed), None if given.reask == "all" else int(given.reask)
    files, not_asked = (answers, []) if answers is not None else reask.askable(chain)
    asked = []
    for file, rows in progress(files.items(), "ask again", len(files)):
        try:
            asked.append(reask.reask(chain, file, count, rng, rows))
        except (KeyError, ValueError, TypeError) as error:  # of a file that was edited
            report.fail(file, f"cannot be asked again: {type(error).__name__}: {error}".splitlines()[0])
            continue
        for each in asked[-1]["differ"]:
            report.fail(f"{file}, {each['method']} question {each['question_id']}", each["differs"])
    of = "any file" if answers is None else "any file behind it"
    return {"seed": seed, "files": asked, "not_asked": not_asked}, reask.summary(asked, seed, not_asked, of)


def _outcome(report: Report, chain: Chain | None = None) -> tuple[dict[str, Any], list[str], int]:
    """The failures as data and as lines, and the exit code. chain: says which follows from which."""
    found = causes(report.findings, chain.files_behind if chain else lambda file: ())
    data = {
        "failures": [vars(finding) for finding in report.findings],
        "causes": [{"file": cause.findings[0].file, "follow": cause.follow} for cause in found],
    }
    if not found:
        return data, ["", "audit passed"], 0
    last = f"audit failed: {len(found)} file{'s' * (len(found) > 1)} at fault, {len(report.findings)} findings in all"
    return data, ["", *lines_of(found), last], 1
