"""Answers checked: the questions against the benchmark, the choices and the scores computed again."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from manu.attacks.questions import attacked
from manu.attacks.sequential import with_requests
from manu.audit.findings import Report
from manu.core.diverged import unanswered
from manu.evaluation.answers import options_text, questions_of, variants_text
from manu.evaluation.asking import letter_choice
from manu.evaluation.metrics import columns_of
from manu.evaluation.questions import AskedQuestion
from manu.evaluation.scoring import score_answers
from manu.evaluation.vocabulary import TASKS
from manu.provenance.hashes import hashes_of

ATTACK = "manu.steps.attack"
ANSWERING = (
    "manu.steps.evaluate",
    "manu.steps.evaluate_variants",
    "manu.steps.tune",
    "manu.steps.forget_in_turn",
    ATTACK,
)
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
    "answer_variants",
)


def check_answers(record: Mapping, report: Report) -> None:
    """One file of answers: its questions are the benchmark's, its choices follow from the likelihoods, and every metric
    is computed again from reply and reference. A file of several trials, variants, attacks or requests is checked part
    by part. Counts "answers" and "diverged".
    """
    config, options = record["configuration"]["content"], record["options"]
    file = options["answers" if record["stage"] == ATTACK else "out"]
    stored = pd.read_parquet(file)
    if runs := unanswered(file):  # a model that diverged was not asked
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
        variant = {key: value for key, value in zip(keys, part, strict=True) if key == "method"}
        _check_rows(f"{file}, {where}", there[part].reset_index(drop=True), expected, {**config, **variant}, report)


def _parts(record: Mapping) -> tuple[list[str], dict[tuple, pd.DataFrame]]:
    """The columns that name the parts of a file of answers, and the expected columns (`_EXPECTED`) of each part."""
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
        rows.append((*keys, question.prompt, question.reference, options_text(question), variants_text(question)))
    return pd.DataFrame(rows, columns=list(_EXPECTED))


def _choices(answers: pd.DataFrame, protocol: str) -> pd.Series:
    """The option with the highest likelihood, or the one of the reply's letter; "" for questions without options."""
    rows = zip(answers["task"], answers["options"], answers["option_log_likelihoods"], answers["reply"], strict=True)
    chosen = []
    for task, options, likelihoods, reply in rows:
        if task not in ("classification", "completion"):
            chosen.append("")
        elif protocol == "letter" and task == "classification":
            chosen.append(letter_choice(reply, dict(zip("ABCD", json.loads(options), strict=False))))
        else:
            chosen.append(json.loads(options)[int(np.argmax(json.loads(likelihoods)))])
    return pd.Series(chosen)


def _compare(file: str, answers: pd.DataFrame, column: str, right: pd.Series, what: str, report: Report) -> None:
    have, needed = answers[column].to_numpy(), right.to_numpy()
    differs = unequal(have, needed)
    for index in np.flatnonzero(differs)[:_SHOWN]:
        row = answers.iloc[index]
        where = f"{file}, row {index}, {row['split']} question {row['question_id']}, column {column}"
        report.fail(where, f"{have[index]!r}; from {what}: {needed[index]!r}")
    if differs.sum() > _SHOWN:
        report.fail(file, f"{int(differs.sum()) - _SHOWN} more answers differ in the column {column}")


def unequal(one: ArrayLike, other: ArrayLike) -> np.ndarray:
    """Where two columns differ. Two missing values are equal: not every metric applies to every answer."""
    have, needed = np.asarray(one), np.asarray(other)
    return (have != needed) & ~(pd.isna(have) & pd.isna(needed))
