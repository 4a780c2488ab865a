"""Forgetting in turn against forgetting at once: accuracy on who was asked to be forgotten when, with intervals over
people.

Each group of people has its draws; all methods of a run and both orders share them, so that differences are paired.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from manu.analysis.cells import DECIMALS
from manu.analysis.origin import Origin, same
from manu.analysis.resampling import ends
from manu.analysis.robustness import People

KEYS = ("model", "seed", "method")
COLUMNS = (*KEYS, "order", "after", "group", "modality", "metric", "value", "n", "ci_low", "ci_high")
STORED_COLUMNS = (*KEYS, "forget_ratio", "split", "modality", "task", "profile_id", "question_id", "correct")
ANSWER_COLUMNS = (*STORED_COLUMNS, "after", "requested")
IN_TURN, AT_ONCE, DIFFERENCE = "in turn", "at once", "in turn minus at once"
REQUESTED, JUST, EARLIER, NOT_YET, RETAIN = (
    "requested",
    "just requested",
    "requested earlier",
    "not yet requested",
    "retain",
)
SPLITS = {REQUESTED: "forget", RETAIN: "retain"}  # groups that exist in both orders, and where they stand at once


def sequential_table(
    stored: pd.DataFrame, answers: pd.DataFrame, resamples: int = 1000, level: float = 0.95
) -> pd.DataFrame:
    """Rows (COLUMNS) for every model, seed and method in `answers`, rounded to DECIMALS.

    stored: the study's own answers (STORED_COLUMNS) at the last request's ratio; answers: those after each request
    (ANSWER_COLUMNS). Groups and metrics: docs/robustness.md. Who diverged at once has rows in turn alone.
    """
    rows = []
    for (model, seed), turns in answers.groupby(["model", "seed"], sort=True):
        last = turns["after"].max()
        at_once = stored[(stored[["model", "seed", "forget_ratio"]] == [model, seed, last]).all(axis=1)]
        people = People({(a, g): sorted(set(cell["profile_id"])) for a, g, cell in _grouped(turns)}, resamples)
        for method in dict.fromkeys(turns["method"]):
            user_message, once = (part[part["method"] == method] for part in (turns, at_once))
            for cell in _measures(people, user_message, once[once["task"] == "classification"], last):
                *names, draws, n = cell
                value, low, high = ends(draws, level)
                rows.append((model, seed, method, *names, value, n, low, high))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = ["value", "ci_low", "ci_high"]
    return table.assign(**table[numbers].astype("float64").round(DECIMALS))


def _grouped(answers: pd.DataFrame) -> Iterator[tuple[int, str, pd.DataFrame]]:
    """(after, group, its answers) of everybody who is in a group, after each request."""
    for after, user_message in answers.groupby("after", sort=True):
        at = user_message["requested"]
        groups = {
            REQUESTED: at.between(1, after),
            JUST: at == after,
            EARLIER: at.between(1, after - 1),
            NOT_YET: at > after,
            RETAIN: at == 0,
        }
        for group, inside in groups.items():
            if inside.any():
                yield after, group, user_message[inside]


# order, after, group, modality, metric, value per draw, answers behind it
Cell = tuple[str, int, str, str, str, np.ndarray, int]


def _measures(people: People, user_message: pd.DataFrame, once: pd.DataFrame, last: int) -> Iterator[Cell]:
    """One method's accuracies after each request, then those at once, then the differences after the last request."""
    reached = {}
    for after, group, cells in _grouped(user_message):
        for modality, cell in cells.groupby("modality", sort=True):
            draws = people.mean(cell, (after, group), cell["correct"].to_numpy(np.float64))
            reached[after, group, modality] = draws
            yield IN_TURN, after, group, modality, "accuracy", draws, len(cell)
    differences = []
    for group, split in SPLITS.items():
        for modality, cell in once[once["split"] == split].groupby("modality", sort=True):
            draws = people.mean(cell, (last, group), cell["correct"].to_numpy(np.float64))
            yield AT_ONCE, last, group, modality, "accuracy", draws, len(cell)
            apart = reached[last, group, modality] - draws
            differences.append((DIFFERENCE, last, group, modality, "difference", apart, len(cell)))
    yield from differences


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The answers after the request, or the study's own; of a difference both, the former after every request."""
    if column not in ("value", "n", "ci_low", "ci_high"):
        return None
    after = int(row["after"])
    where = same(row, *KEYS, "modality")
    if row["order"] == IN_TURN:
        when = {
            REQUESTED: range(1, after + 1),
            JUST: (after,),
            EARLIER: range(1, after),
            NOT_YET: range(after + 1, 100),
            RETAIN: (0,),
        }
        return Origin(("answers",), where | {"after": (after,), "requested": tuple(when[row["group"]])}, "correct")
    where |= {"forget_ratio": (after,), "split": (SPLITS[row["group"]],), "task": ("classification",)}
    return Origin(("stored",) if row["order"] == AT_ONCE else ("stored", "answers"), where, "correct")
