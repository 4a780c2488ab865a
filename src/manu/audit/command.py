"""The command `manu audit`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manu.audit.chain import TOPS, Chain, job_problems
from manu.audit.findings import Report
from manu.core.errors import UserError
from manu.core.progress import progress
from manu.study.loading import read_study

README = "README.md"


@dataclass(frozen=True)
class Request:
    """What to audit: exactly one of `file`, `all` and `diff`.

    row, column: of the file's table. diff: two finished studies. reask: how many questions of each file of answers the
    models answer again. study: for `all` and for README.md. json: print the answer as JSON.
    """

    file: str | None
    row: str | None
    column: str | None
    all: bool
    diff: tuple[str, str] | None
    reask: int | None
    study: str
    json: bool


def audit(given: Request) -> tuple[str, int]:
    """Text to print, and the exit code: 0 if the audit passes, 1 if not. Raises UserError."""
    if sum([given.file is not None, given.all, given.diff is not None]) != 1:
        raise UserError("audit one thing: a file, --all, or --diff A B; manu audit --help shows examples")
    if (given.row or given.column) and given.file is None:
        raise UserError("--row and --column pick numbers of a file: manu audit FILE --row ... --column ...")
    if given.reask is not None and (given.reask < 1 or given.diff):
        raise UserError("--reask N asks N questions anew, at least 1, with a file or with --all")
    if given.diff:
        result, text, code = _diff(*given.diff)
    else:
        result, text, code = _file(given, given.file) if given.file else _all(given)
    return (json.dumps(result, indent=1, ensure_ascii=False, default=str) if given.json else text), code


def _all(given: Request) -> tuple[dict, str, int]:
    from manu.audit.whole import audit_study

    study = read_study(given.study)
    report = audit_study(given.study, lambda work, total: progress(work, "audit", total))
    asked = []
    if given.reask:
        from manu.core.diverged import unanswered

        chain = Chain(study.name)
        files = [record["options"]["out"] for record in chain.jobs.values() if record["stage"].endswith(".evaluate")]
        answers = {file: None for file in files if not unanswered(Path(file))}
        asked = _reask(chain, answers, given.reask, report)
    result = {
        "study": study.name,
        "fingerprint": report.fingerprint,
        "counts": dict(report.counts),
        "notes": report.notes,
        "failures": [vars(finding) for finding in report.findings],
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
    lines += [f"  note: {note}" for note in report.notes] + _asked_lines(asked)
    lines.append(f"  fingerprint of all outputs: {report.fingerprint}")
    lines += ["", *_failed_lines(report)]
    return result, "\n".join(lines), int(bool(report.findings))


def _diff(one: str, other: str) -> tuple[dict, str, int]:
    from manu.audit import difference

    result = difference.compare_studies(difference.open_study(one), difference.open_study(other))
    same = not (result["differ"] or result["only_in_one"] or result["only_in_other"])
    return result, difference.text(result, one, other), int(not same)


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
        _check_numbers(table, numbers, report)
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
    asked = []
    if given.reask:
        questions = trace.questions_behind(numbers) if numbers else {file: None}
        asked = _reask(tracer.chain, questions, given.reask, report)
    lines += [*_asked_lines(asked), *(f"note: {note}" for note in report.notes), "", *_failed_lines(report)]
    result = {
        "numbers": numbers,
        "jobs": [tracer.job(name) for name in jobs],
        "asked_again": asked,
        "failures": [vars(finding) for finding in report.findings],
    }
    return result, "\n".join(lines), int(bool(report.findings))


def _check_numbers(table: str, numbers: list[dict], report: Report) -> None:
    for number in numbers:
        if not number["same"]:
            what = f"{number['value']}; computed again: {number['recomputed']}"
            if number["value"] == number["recomputed"]:
                what = "the answers or scores behind it give another number"
            report.fail(f"{table} ({number['name']}), column {number['column']}", what)


def _reask(chain: Chain, questions: dict[str, Any], count: int, report: Report) -> list[dict]:
    from manu.audit.reask import reask

    asked = []
    for file, names in progress(questions.items(), "ask again", len(questions)):
        result = reask(chain, file, count, names)
        for each in result["differ"]:
            what = f"stored {each['stored']}; asked again {each['now']}"
            report.fail(f"{file}, question {each['question_id']}", what)
        asked.append(result)
    return asked


def _asked_lines(asked: list[dict]) -> list[str]:
    if not asked:
        return []
    total, differ = sum(each["asked"] for each in asked), sum(len(each["differ"]) for each in asked)
    largest = max(each["largest"] for each in asked)
    return [
        f"  {total} questions of {len(asked)} answer files asked again: {total - differ} replies the same, "
        f"{differ} not; log-likelihoods differ by at most {largest:.1e}"
    ]


def _failed_lines(report: Report) -> list[str]:
    if not report.findings:
        return ["audit passed"]
    return [f"✗ {finding}" for finding in report.findings] + [f"audit failed: {len(report.findings)} findings"]
