"""What the rows of the study's tables have in common: models, runs, directions, and the page's words for them."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import pandas as pd

from manu.analysis.cells import row_order
from manu.analysis.grid import (
    Cell,
    Column,
    Grid,
    TableOnPage,
    decimals,
    minus,
    name,
    number,
    percent,
    spread,
)
from manu.analysis.outcomes import BOTH
from manu.analysis.page import Page
from manu.analysis.seeds import over_seeds

RUN_KEYS = ("model", "forget_ratio", "seed", "method")
ASKED = {"multimodal": "picture", "text": "text", BOTH: "both"}  # the page's words for the modalities
BRACKETS = {  # whether there are several seeds -> what the brackets hold
    False: "In brackets the interval over people.",
    True: "In brackets the interval over people; means over the seeds ± their standard deviation.",
}
Row = Mapping[str, str]
Form = Callable[[str], str]
UP, DOWN = "\N{NO-BREAK SPACE}\N{UPWARDS ARROW}", "\N{NO-BREAK SPACE}\N{DOWNWARDS ARROW}"  # which way is better


def by_model(table: TableOnPage | None) -> dict[str, TableOnPage]:
    """A table's rows by model, the models sorted, as everywhere on the page; nothing of no table."""
    if table is None:
        return {}
    parts: dict[str, list] = {}
    for row in table.rows:
        parts.setdefault(row["model"], []).append(row)
    return {model: TableOnPage(table.path, rows) for model, rows in sorted(parts.items())}


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


def run_heads(rows: Sequence[Row]) -> tuple[list[Column], Callable[[Row], list[Cell]]]:
    """The first columns of a table of runs, and a row's cells in them; the seed stands where there are several."""
    seeds, seed = seed_head(rows)
    columns = [Column("forget"), Column("method", words=True), *seeds]
    return columns, lambda row: [Cell(f"{row['forget_ratio']} %", look="number"), name(row["method"]), *seed(row)]


def seed_head(rows: Sequence[Row]) -> tuple[list[Column], Callable[[Row], list[Cell]]]:
    """The column of the seed, and a row's cell in it; neither where the rows have one seed alone."""
    if not several(rows, "seed"):
        return [], lambda row: []
    return [Column("seed")], lambda row: [Cell(row["seed"], look="number")]


def in_run_order(rows: Iterable[Row], page: Page) -> list[Row]:
    """The rows by forget ratio, seed, and method as the study lists them."""
    order = {method: place for place, method in enumerate(row_order(page.methods))}

    def place(row: Row) -> tuple[int, int, int]:
        return int(row["forget_ratio"]), int(row["seed"] or 0), order.get(row["method"], len(order))

    return sorted(rows, key=place)


def link_of_run(row: Row, page: Page, otherwise: str, method: str = "method") -> str:
    """The id of the chain of a row's run, or of the runs of all seeds where it has no seed."""
    ratio, seed = row.get("forget_ratio", ""), row.get("seed") or None
    return page.chains.run(row["model"], row[method], ratio, seed, otherwise=otherwise)


def signed(fraction: float) -> str:
    """A fraction in points, with its sign."""
    text = minus(f"{100 * fraction:.1f}")
    return text if text.startswith("\N{MINUS SIGN}") or float(text) == 0 else f"+{text}"


def by_model_and_seed(table: TableOnPage) -> dict[str, tuple[TableOnPage, TableOnPage | None]]:
    """Model -> its rows over the seeds, and its rows seed by seed where there are several."""
    return {
        model: (mean_over_seeds(part), part if several(part.rows, "seed") else None)
        for model, part in by_model(table).items()
    }


def grid_of_methods(
    label: str,
    table: TableOnPage,
    column_of: Callable[[Row], Column],
    keys: Sequence[str],
    page: Page,
    ends: Callable[[Row, Form], str] = lambda row, form: "",
) -> Grid:
    """A row per seed and method, a column for each that the rows have, in their order.

    ends: the text of a row's interval. A number links to its run; where the rows have no forget ratio, to its file.
    """
    columns = list(dict.fromkeys(map(column_of, table.rows)))
    cells = {(row["seed"], row["method"], column_of(row)): row for row in table.rows}
    runs = {(row["seed"], row["method"]): row for row in table.rows}
    (seeds, seed), file = seed_head(table.rows), page.chains.file(table.path)
    order, shown = row_order(page.methods), []

    def cell(row: Row | None, link: str) -> Cell:
        form = _FORMS.get(row["metric"], percent) if row else percent
        small = f"{spread(row, 'value_sd', form)} {ends(row, form) if row else ''}".strip()
        return number(table, row, "value", keys, link, form, small)

    ordered = sorted(runs.values(), key=lambda row: (row["seed"], order.index(row["method"])))
    for run in ordered:
        link = link_of_run(run, page, file)
        numbers = (cell(cells.get((run["seed"], run["method"], column)), link) for column in columns)
        shown.append([name(run["method"]), *seed(run), *numbers])
    heads = [Column("method", words=True), *seeds]
    return Grid(label, [*heads, *columns], shown, 1, first_of_block(ordered, "seed"))


_FORMS: Mapping[str, Form] = {  # of a metric that is no percentage
    "resistance": decimals(2),
    "robustness": decimals(2),
    "difference": lambda text: signed(float(text)),
}
