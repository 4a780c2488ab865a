"""Forgetting in turn against forgetting at once: accuracy on each request's people, with intervals over people.

Each group of people has its draws; all methods of a run and both orders share them, so that differences are paired.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from manu.analysis.attacks import People
from manu.analysis.cells import rounded
from manu.analysis.grid import Column, Grid, TableOnPage, interval
from manu.analysis.origin import From, Origin, select
from manu.analysis.page import Block, Fold, Heading, Page, Prose
from manu.analysis.page_rows import ASKED, BRACKETS, DOWN, UP, Row, by_model_and_seed, grid_of_methods
from manu.analysis.reading import Inputs
from manu.analysis.resampling import SHARE, SIGNED, ends
from manu.analysis.tables.base import Table, intervals

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
GROUPS = (REQUESTED, JUST, EARLIER, NOT_YET, RETAIN)
LAST = 100  # percent; no request is higher
SPLITS = {REQUESTED: "forget", RETAIN: "retain"}  # groups that exist in both orders, and where they stand at once


AFTER_REQUEST = From("in_turn", (*KEYS, "modality", "after"), "correct")
ALL_AT_ONCE = From("at_once", (*KEYS, "modality"), "correct", {"task": ("classification",)})
NUMBERS = ("value", "n", "ci_low", "ci_high")


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Requests in turn beside the same at once (COLUMNS)."""
    at_once = inputs.answers("at_once", columns=STORED_COLUMNS)
    return sequential_table(at_once, inputs.answers("in_turn", columns=ANSWER_COLUMNS), **settings["intervals"])


def in_group(group: str, after: int) -> dict[str, tuple]:
    """Who is in a group after a request: by the request (percent) that named them, 0 for retain people."""
    requests = {
        REQUESTED: range(1, after + 1),
        JUST: (after,),
        EARLIER: range(1, after),
        NOT_YET: range(after + 1, LAST),
        RETAIN: (0,),
    }
    return {"requested": tuple(requests[group])}


def sequential_table(
    stored: pd.DataFrame, answers: pd.DataFrame, resamples: int = 999, level: float = 0.95
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
            turned, once = (part[part["method"] == method] for part in (turns, at_once))
            for cell in _measures(people, turned, select(once, ALL_AT_ONCE.fixed), last):
                *names, draws, n = cell
                value, low, high = ends(draws, level, SIGNED if names[0] == DIFFERENCE else SHARE)
                rows.append((model, seed, method, *names, value, n, low, high))
    return rounded(pd.DataFrame(rows, columns=list(COLUMNS)))


def _grouped(answers: pd.DataFrame) -> Iterator[tuple[int, str, pd.DataFrame]]:
    """(after, group, its answers) of everybody who is in a group, after each request."""
    for after, asked in answers.groupby("after", sort=True):
        for group in GROUPS:
            members = select(asked, in_group(group, after))
            if len(members):
                yield after, group, members


# order, after, group, modality, metric, value per draw, answers behind it
Cell = tuple[str, int, str, str, str, np.ndarray, int]


def _measures(people: People, turned: pd.DataFrame, once: pd.DataFrame, last: int) -> Iterator[Cell]:
    """One method's accuracies after each request, then those at once, then the differences after the last request."""
    reached = {}
    for after, group, cells in _grouped(turned):
        for modality, cell in cells.groupby("modality", sort=True):
            draws = people.mean(cell, (after, group), cell["correct"].to_numpy(np.float64))
            reached[after, group, modality] = draws
            yield IN_TURN, after, group, modality, "accuracy", draws, len(cell)
    differences = []
    for group, split in SPLITS.items():
        for modality, cell in once[once["split"] == split].groupby("modality", sort=True):
            draws = people.mean(cell, (last, group), cell["correct"].to_numpy(np.float64), seed=1)
            yield AT_ONCE, last, group, modality, "accuracy", draws, len(cell)
            apart = reached[last, group, modality] - draws
            differences.append((DIFFERENCE, last, group, modality, "difference", apart, len(cell)))
    yield from differences


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The answers after the request, or those at once; of a difference both, the former after every request."""
    after = int(row["after"])
    if row["order"] == IN_TURN:
        where = AFTER_REQUEST.where(row) | in_group(row["group"], after)
        return Origin(("in_turn",), where, "correct")
    where = ALL_AT_ONCE.where(row) | {"forget_ratio": (after,), "split": (SPLITS[row["group"]],)}
    return Origin(("at_once",) if row["order"] == AT_ONCE else ("at_once", "in_turn"), where, "correct")


_HEADS = ("in turn", "at once", "difference")
_ARROWS = {REQUESTED: DOWN, RETAIN: UP}


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """Per model the accuracy after the last of several requests, made in turn or at once."""
    blocks: list[Block] = []
    for model, (over_seeds, by_seed) in by_model_and_seed(table).items():
        blocks += [Heading(model, 4), Prose(BRACKETS[bool(by_seed)], True), _grid(over_seeds, page)]
        blocks += [Fold("Seed by seed", [_grid(by_seed, page)])] if by_seed else []
    return blocks


def _grid(table: TableOnPage, page: Page) -> Grid:
    def place(row: Row) -> tuple:  # of the rows of one column the last request's comes last, and stands
        group, head = list(_ARROWS).index(row["group"]), _HEADS.index(_head(row))
        return group, list(ASKED).index(row["modality"]), head, float(row["after"])

    rows = sorted((row for row in table.rows if row["group"] in _ARROWS), key=place)
    label = f"{table.rows[0]['model']}: after the last request, in percent"
    keys = (*KEYS, "order", "after", "group", "modality", "metric")
    return grid_of_methods(label, TableOnPage(table.path, rows), _column, keys, page, interval)


def _head(row: Row) -> str:
    return "difference" if row["metric"] == "difference" else row["order"]


def _column(row: Row) -> Column:
    group = f"{row['group']}, {ASKED[row['modality']]}{_ARROWS[row['group']]}"
    return Column(_head(row), group, row["modality"])


TABLE = Table(
    title="Requests in turn",
    caption="Accuracy while people are forgotten in turn, request after request, each from the model that the "
    "one before it left; beside it the same people forgotten at once, and the difference after the last "
    "request in points, paired on the same draws of people.",
    section="robustness",
    needs=("at_once", "in_turn"),
    keys=tuple(column for column in COLUMNS if column not in NUMBERS),
    settings=intervals,
    make=make,
    origin=origin,
    show=show,
    target="robustness",
)
