"""What pruning random neurons costs the vanilla model: the check that the model is not simply too large."""

from collections.abc import Mapping, Sequence

import pandas as pd

from manu.analysis.grid import Cell, Column, Grid, TableOnPage, is_empty, name, number
from manu.analysis.origin import From, Origin
from manu.analysis.page import Block, Fold, Page
from manu.analysis.page_rows import ASKED, Row, link_of_run, seed_head, signed
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Study, Table

RUN = ("model", "seed", "forget_ratio")
CELL = ("split", "modality", "task")
COLUMNS = (*RUN, "prune_ratio", "method", *CELL, "accuracy", "n", "cost")
ACCURACY = From(("vanilla", "random"), (*RUN, "method", *CELL), "correct", mean=True)


def settings(study: Study) -> dict:
    """prune_ratios: method, as the answers have it, -> percent of the neurons that are pruned."""
    return {"prune_ratios": {f"random{share}": share for share in study.capacity.prune_ratios}}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Accuracy by model, seed, prune ratio, split, modality and task (COLUMNS); prune ratio 0 is vanilla.

    accuracy: a fraction; cost: vanilla's accuracy minus this one. Vanilla's answers count at the forget ratios that the
    others have.
    """
    pruned, vanilla = inputs.answers("random"), inputs.answers("vanilla")
    whole = vanilla[vanilla["forget_ratio"].isin(set(pruned["forget_ratio"]))]
    answers = pd.concat([whole, pruned], ignore_index=True).dropna(subset="correct")
    cells = answers.groupby(list(ACCURACY.keys), sort=False)[ACCURACY.value]
    table = cells.agg(accuracy="mean", n="count").reset_index()
    table["prune_ratio"] = table["method"].map({"vanilla": 0, **settings["prune_ratios"]})
    table = table.sort_values([*RUN, "prune_ratio"], kind="stable", ignore_index=True)
    keys = [*RUN, *CELL]
    before = table[table["method"] == "vanilla"].set_index(keys)["accuracy"]
    table["cost"] = before.loc[pd.MultiIndex.from_frame(table[keys])].to_numpy() - table["accuracy"]
    return table[list(COLUMNS)]


def origin(row: Mapping[str, str], column: str) -> Origin:
    """Accuracy and n come from the cell's answers, the cost from those and vanilla's."""
    found = ACCURACY.origin(row)
    methods = ("vanilla", row["method"]) if column == "cost" else (row["method"],)
    return Origin(found.sources, found.where | {"method": methods}, found.column, mean=column == "accuracy")


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """A row per kind of question, a column per share of random neurons pruned."""
    shares = sorted({row["prune_ratio"] for row in table.rows}, key=float)
    keys = ("seed", "forget_ratio", *CELL)
    questions: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in table.rows:
        questions.setdefault(tuple(row[key] for key in keys), {})[row["prune_ratio"]] = row
    (seeds, seed), file = seed_head(table.rows), page.chains.file(table.path)

    def cell(row: Row | None) -> Cell:
        if row is None:
            return number(table, None, "accuracy", keys, file)
        lost = "" if float(row["prune_ratio"]) == 0 or is_empty(row["cost"]) else f"({signed(-float(row['cost']))})"
        return number(table, row, "accuracy", (*keys, "method"), link_of_run(row, page, file), small=lost)

    rows = []
    for by_share in questions.values():
        first = next(iter(by_share.values()))
        asked = [name(first["split"]), name(ASKED[first["modality"]]), name(first["task"]), *seed(first)]
        rows.append([*asked, *(cell(by_share.get(share)) for share in shares)])
    columns = [
        Column("questions", words=True),
        Column("asked", words=True),
        Column("task", words=True),
        *seeds,
        *(Column("nothing pruned" if float(share) == 0 else f"{share} % pruned") for share in shares),
    ]
    label = f"{table.rows[0]['model']}: accuracy in percent without random neurons (points gained or lost)"
    return [Fold(label, [Grid(label, columns, rows, 1)], is_open=True)]


TABLE = Table(
    title="Capacity",
    caption="What the vanilla model loses when random neurons are pruned: the check that it is not simply too "
    "large to be hurt. Accuracy in percent, in brackets the points gained or lost.",
    section="capacity",
    needs=("vanilla", "random"),
    keys=(*RUN, "prune_ratio", "method", *CELL),
    per_model=True,
    settings=settings,
    make=make,
    origin=origin,
    show=show,
)
