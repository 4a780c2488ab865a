"""Every number again: answers scored anew and held against the benchmark, and every cheap stage run a second time."""

import argparse
import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from manu.analysis import readme
from manu.analysis.cells import read_cells
from manu.attacks.questions import attacked
from manu.attacks.sequential import with_requests
from manu.audit.exhibits import (
    Rows,
    compare_csv,
    compare_text,
    numbers_of,
    read_rows,
    row_name,
    stage_module,
)
from manu.audit.findings import Report
from manu.core.diverged import unanswered
from manu.core.errors import UserError
from manu.evaluation.answers import options_text, questions_of
from manu.evaluation.asking import letter_choice
from manu.evaluation.metrics import columns_of
from manu.evaluation.questions import AskedQuestion
from manu.evaluation.scoring import score_answers
from manu.evaluation.vocabulary import TASKS
from manu.provenance.hashes import hashes_of
from manu.provenance.lineage import files

ATTACK = "manu.steps.attack"
ANSWERING = (
    "manu.steps.evaluate",
    "manu.steps.evaluate_variants",
    "manu.steps.tune",
    "manu.steps.forget_in_turn",
    ATTACK,
)
WRITE_README = "manu.steps.write_readme"
_TEXT = (".md", ".txt", ".html")
_PICTURES = (".png", ".svg")  # held to their checksums only: fonts are drawn a little differently elsewhere
_SHOWN = 5
_EXPECTED = (
    "forget_ratio",
    "split",
    "modality",
    "task",
    "profile_id",
    "question_id",
    "prompt",
    "reference",
    "options",
)


def check_answers(record: Mapping, report: Report) -> None:
    """One file of answers: the questions are the benchmark's, the choice follows from the likelihoods, and every
    metric is scored anew from reply and reference. Answers of trials, variants, attacks and after requests in turn are
    checked one by one. Counts "answers".
    """
    config, options = record["configuration"]["content"], record["options"]
    file = options["answers" if record["stage"] == ATTACK else "out"]
    stored = pd.read_parquet(file)
    if runs := unanswered(file):  # what diverged was not asked
        report.counts["diverged"] += len(runs)
        if len(stored):
            report.fail(file, f"holds {len(stored)} answers of a model that diverged")
        return
    keys, parts = _parts(record)
    report.counts["answers"] += len(stored)
    needed = (*next(iter(parts.values())), "reply", "choice", *keys)
    missing = [column for column in needed if column not in stored.columns]
    if missing:
        report.fail(file, f"lacks the columns: {', '.join(missing)}")
        return
    if not keys:
        _check_rows(file, stored, parts[()], config, report)
        return
    there = dict(list(stored.groupby(keys)))
    if set(there) != set(parts):
        what = " and ".join({"after": "requests"}.get(key, f"{key}s") for key in keys)
        report.fail(file, f"holds the {what} {_listed(there)}; the configuration has {_listed(parts)}")
        return
    for part, expected in parts.items():
        where = ", ".join(f"{key} {value}" for key, value in zip(keys, part, strict=True))
        said = {key: value for key, value in zip(keys, part, strict=True) if key == "method"}  # a variant is one
        _check_rows(f"{file}, {where}", there[part].reset_index(drop=True), expected, {**config, **said}, report)


def _parts(record: Mapping) -> tuple[list[str], dict[tuple, pd.DataFrame]]:
    """The columns that tell the parts of a file of answers, and the questions (`_EXPECTED`) of each part."""
    config, benchmark = record["configuration"]["content"], record["options"]["benchmark"]
    checksums = tuple(hashes_of([benchmark]).values())
    if record["stage"] == ATTACK:
        asked = json.dumps([config["ratios"][0], config["evaluation"], config["robustness"]])
        return ["attack", "condition"], _attacked(benchmark, asked, checksums)
    expected = _expected(benchmark, json.dumps([config["ratios"], config["evaluation"]]), checksums)
    several = {
        "trial": range(1, len(config.get("trials", ())) + 1),
        "method": config.get("variants", ()),
        "after": config.get("requests", ()),
    }
    if several["after"]:
        expected = with_requests(expected, Path(benchmark), several["after"])
    for key, names in several.items():
        if names:
            return [key], {(name,): expected for name in names}
    return [], {(): expected}


def _listed(parts: Mapping) -> str:
    return "; ".join(" ".join(map(str, part)) for part in sorted(parts))


def _check_rows(file: str, answers: pd.DataFrame, expected: pd.DataFrame, config: Mapping, report: Report) -> None:
    if len(answers) != len(expected):
        report.fail(file, f"holds {len(answers)} answers; the benchmark asks {len(expected)} questions")
        return
    for key in ("study", "model", "method", "seed"):
        _compare(file, answers, key, pd.Series([config[key]] * len(answers)), f"the configuration's {key}", report)
    for column in expected.columns:
        _compare(file, answers, column, expected[column], "the benchmark", report)
    _compare(file, answers, "choice", _choices(answers, config["evaluation"]["classification"]), "its reply", report)
    scored = score_answers(answers)
    for column in columns_of({*TASKS, *answers["task"]}):
        _compare(file, answers, column, scored[column], "its reply scored again", report)


@cache
def _expected(benchmark: str, asked: str, checksums: tuple[str, ...]) -> pd.DataFrame:
    """The columns of an answer that come from the benchmark.

    asked: JSON of (forget ratios, evaluation); checksums: of the benchmark's files, so that an edit is seen.
    """
    return _table(*questions_of(Path(benchmark), *json.loads(asked)))


@cache
def _attacked(benchmark: str, asked: str, checksums: tuple[str, ...]) -> dict[tuple[str, str], pd.DataFrame]:
    """The same for every (attack, condition). asked: JSON of (forget ratio, evaluation, robustness)."""
    return {part: _table(*questions) for part, questions in attacked(Path(benchmark), *json.loads(asked)).items()}


def _table(questions: Mapping[str, AskedQuestion], places: list[tuple[int, str, str]]) -> pd.DataFrame:
    rows = []
    for ratio, split, name in places:
        question = questions[name]
        keys = (ratio, split, question.modality, question.task, question.profile_id, name)
        rows.append((*keys, question.prompt, question.reference, options_text(question)))
    return pd.DataFrame(rows, columns=list(_EXPECTED))


def _choices(answers: pd.DataFrame, protocol: str) -> pd.Series:
    """The option that follows from the likelihoods, or from the reply's letter; "" where nothing is to be chosen."""
    rows = zip(answers["task"], answers["options"], answers["option_log_likelihoods"], answers["reply"], strict=True)
    chosen = []
    for task, options, likelihoods, reply in rows:
        if task not in ("classification", "completion"):
            chosen.append("")
        elif protocol == "letter" and task == "classification":
            chosen.append(letter_choice(reply, dict(zip("ABCD", json.loads(options)))))
        else:
            chosen.append(json.loads(options)[int(np.argmax(json.loads(likelihoods)))])
    return pd.Series(chosen)


def _compare(file: str, answers: pd.DataFrame, column: str, right: pd.Series, what: str, report: Report) -> None:
    have, right = answers[column].to_numpy(), right.to_numpy()
    differs = (have != right) & ~(pd.isna(have) & pd.isna(right))
    for index in np.flatnonzero(differs)[:_SHOWN]:
        row = answers.iloc[index]
        where = f"{file}, row {index}, {row['split']} question {row['question_id']}, column {column}"
        report.fail(where, f"{have[index]!r}; from {what}: {right[index]!r}")
    if differs.sum() > _SHOWN:
        report.fail(file, f"{int(differs.sum()) - _SHOWN} more answers differ in the column {column}")


def is_replayable(record: Mapping) -> bool:
    """Whether the job's stage is cheap enough to be run again by an audit."""
    return stage_module(record).parser().replayable


def replay(record: Mapping, folder: Path) -> dict[str, Path]:
    """Run a job's stage again with its inputs as they are now; its outputs go below `folder`.

    Returns output file -> file written now. Raises UserError when the stage cannot run.
    """
    module = stage_module(record)
    parser = module.parser()
    options = dict(record["options"])
    again: dict[str, Path] = {}
    for name in (*parser.reads, *options.get("sources", ())):
        given = options.get(name)
        options[name] = [Path(item) for item in given] if isinstance(given, list) else Path(given) if given else None
    for name in (name for name in parser.writes if options[name]):
        given = options[name]
        listed = {file: folder / file for file in (given if isinstance(given, list) else [given])}
        again |= listed
        options[name] = list(listed.values()) if isinstance(given, list) else listed[given]
    module.main(argparse.Namespace(**options), record["configuration"]["content"])
    return again


def check_replayed(record: Mapping, report: Report) -> None:
    """Run the stage again and compare what it writes with what is there, cell by cell."""
    with tempfile.TemporaryDirectory() as folder:
        again = replay(record, Path(folder))
        for file, new in again.items():
            compare_output(file, new, report)
        if record["stage"] == WRITE_README:
            check_readme(again[record["options"]["markdown"]], record["configuration"]["content"]["study"], report)
        report.counts["outputs computed again"] += len(again)


def compare_output(file: str, again: Path, report: Report) -> None:
    """One output against the same one computed again."""
    stored, suffix = Path(file), Path(file).suffix
    if not stored.is_file():
        report.fail(file, "is missing")
    elif suffix == ".csv":
        compare_csv(file, stored, again, report)
    elif suffix in _TEXT:
        compare_text(file, stored.read_text(encoding="utf-8", errors="replace"), again.read_text("utf-8"), report)
    elif suffix not in _PICTURES and stored.read_bytes() != again.read_bytes():
        report.fail(file, "differs from what its stage writes now from the same inputs")


def check_readme(right: Path, study: str, report: Report) -> None:
    """The README's generated block, if it is about this study, against the one in the file `right`.

    A block that shows the snapshot of another run, whole and as it is in git, is no failure but a note: a run on another
    kind of processor has other numbers.
    """
    path = Path("README.md")
    if not path.is_file():
        report.notes.append("there is no README.md here: its numbers were not checked")
        return
    try:
        before, block, _ = readme.parts(path.read_text(encoding="utf-8"))
    except UserError as error:
        report.fail("README.md", str(error).removeprefix("README.md: "))
        return
    if not block.startswith(f"Study `{study}`:"):
        report.notes.append(f"the numbers in README.md are not of study '{study}': not checked here")
        return
    shown = Path("results/reference") / study / "readme.md"
    if block != right.read_text(encoding="utf-8") and shown.is_file() and block == shown.read_text(encoding="utf-8"):
        mine = f"this run's are other ones; make readme STUDY={study} puts them there"
        report.notes.append(f"the numbers in README.md are those of the snapshot in {shown.parent}/: {mine}")
        return
    compare_text("README.md", block, right.read_text(encoding="utf-8"), report, before.count("\n") + 1)


def check_origins(record: Mapping, report: Report) -> None:
    """Every number in a job's tables comes from rows that are there. Counts "numbers"."""
    if not hasattr(stage_module(record), "origin"):
        return
    read: dict[tuple[str, ...], Rows] = {}
    for file in files(record["outputs"]):
        if not file.endswith(".csv") or not Path(file).is_file():
            continue
        for row, column, origin in numbers_of(record, read_cells(Path(file))):
            report.counts["numbers"] += 1
            if origin is None:
                report.fail(f"{file} ({row_name(row)}), column {column}", "nothing says where this number comes from")
                continue
            if origin.sources not in read:
                read[origin.sources] = read_rows([name for o in origin.sources for name in record["inputs"].get(o, ())])
            if not read[origin.sources].places(origin.where):
                report.fail(f"{file} ({row_name(row)}), column {column}", "the rows that it comes from are not there")
