"""The runs that diverged: in training the loss stopped being a number, and there is no model to ask."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from manu.analysis.grid import TableOnPage
from manu.analysis.origin import origins
from manu.analysis.page import Block, Items, Page
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Table
from manu.core.diverged import KEYS, unanswered

COLUMNS = (*KEYS, "why")


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """COLUMNS, one row per run that diverged."""
    return diverged_table(inputs.paths("answers"))


def diverged_table(answers: Iterable[Path]) -> pd.DataFrame:
    """COLUMNS, one row per run whose file of answers holds none; why: the step, and its loss."""
    table = pd.DataFrame([run for path in answers for run in unanswered(path)], columns=list(COLUMNS))
    return table.sort_values(["model", "forget_ratio", "seed", "method"], kind="stable", ignore_index=True)


def listed(diverged: pd.DataFrame, marks: str = "") -> list[str]:
    """One line each: `kl on llava, forget 10 %, seed 0 (step 3: the loss is nan)`; names between `marks`."""
    return [
        f"{marks}{row.method}{marks} on {row.model}, forget {row.forget_ratio} %, seed {row.seed} ({row.why})"
        for row in diverged.itertuples()
    ]


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """A line per run."""
    return [Items([f"{line}" for line in listed(pd.DataFrame(table.rows), "`")])]


TABLE = Table(
    title="Diverged",
    caption="The trainings that diverged, with the step and its loss: there is no model to ask, so no other "
    "table holds a number of theirs. Without a row, none diverged.",
    section="main-tables",
    needs=("answers",),
    keys=COLUMNS,
    folder="",
    make=make,
    origin=origins({}),
    show=show,
)
