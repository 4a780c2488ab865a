"""What the rows of the study's tables have in common: models, runs, directions, and the page's words for them."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from manu.analysis.grid import Cell, Column, TableOnPage, minus, name
from manu.analysis.outcomes import BOTH
from manu.analysis.seeds import over_seeds

RUN_KEYS = ("model", "forget_ratio", "seed", "method")
ASKED = {"multimodal": "picture", "text": "text", BOTH: "both"}  # the page's words for the modalities
UP, DOWN = "\N{NO-BREAK SPACE}\N{UPWARDS ARROW}", "\N{NO-BREAK SPACE}\N{DOWNWARDS ARROW}"  # which way is better


def by_model(table: TableOnPage | None) -> dict[str, TableOnPage]:
    """A table's rows, model by model, in the file's order; nothing of no table."""
    parts: dict[str, list] = {}
    for row in table.rows if table else ():
        parts.setdefault(row["model"], []).append(row)
    return {model: TableOnPage(table.path, rows) for model, rows in parts.items()}


def mean_over_seeds(table: TableOnPage) -> TableOnPage:
    """The table's cells over the seeds, none with a seed: `value` the mean, `value_sd` the spread, empty of one."""
    frame = pd.DataFrame(table.rows).drop(columns="n").replace("", float("nan"))
    cells = over_seeds(frame).assign(seed="").astype(str).fillna("")
    return TableOnPage(table.path, cells.to_dict("records"))


def directions(scores: TableOnPage | None) -> dict[str, str]:
    """Split -> the arrow that says which way is better, as the scores have it."""
    return {row["split"]: UP if row["higher_is_better"] == "True" else DOWN for row in (scores.rows if scores else ())}


def run_of(row: Mapping[str, str]) -> tuple[str, ...]:
    """The keys of a row's run."""
    return tuple(row[key] for key in RUN_KEYS)


def first_of_block(rows: Sequence[Mapping[str, str]], key: str) -> frozenset[int]:
    """The places of the rows, the first apart, that have another value of `key` than the row before."""
    return frozenset(i for i, row in enumerate(rows) if i and row[key] != rows[i - 1][key])


def several(rows: Sequence[Mapping[str, str]], key: str) -> bool:
    """Whether the rows have more than one value of `key`."""
    return len({row[key] for row in rows}) > 1


def run_heads(rows: Sequence[Mapping[str, str]]) -> tuple[list[Column], Callable[[Mapping[str, str]], list[Cell]]]:
    """The first columns of a table of runs, and a row's cells in them; the seed stands where there are several."""
    columns = [Column("forget"), Column("method", words=True)]
    seeds = several(rows, "seed")
    if seeds:
        columns.append(Column("seed"))
    return columns, lambda row: [
        Cell(f"{row['forget_ratio']} %", look="number"),
        name(row["method"]),
        *([Cell(row["seed"], look="number")] if seeds else []),
    ]


def signed(fraction: float) -> str:
    """A fraction in points, with its sign."""
    text = minus(f"{100 * fraction:.1f}")
    return text if text.startswith("\N{MINUS SIGN}") or float(text) == 0 else f"+{text}"
