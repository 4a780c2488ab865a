"""The claims and what became of them: the verdict over all architectures, by architecture, and run by run."""

from collections.abc import Mapping, Sequence

import pandas as pd

from manu.analysis.claims import ALL, COLUMNS, EQUAL, MEASURES, VERDICTS, claim_table, read_claims
from manu.analysis.grid import Cell, Column, Grid, TableOnPage, decimals, interval, name, number, words
from manu.analysis.origin import From, origins
from manu.analysis.page import Badges, Block, Fold, Heading, Page, Prose
from manu.analysis.page_rows import first_of_block, link_of_run, run_heads
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Table

KEYS = ("claim", "model", "method")
NUMBERS = ("value", "ci_low", "ci_high")


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """COLUMNS, one row per claim, architecture and method, then one for all architectures together."""
    document = read_claims(inputs.document("claims_file"), str(inputs.paths("claims_file")[0]))
    return claim_table(inputs.table("claims_by_ratio"), document)


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """The verdicts at a glance, then claim by claim in the file's order."""
    found = [
        (f"claim-{place}", [row for row in table.rows if row["claim"] == claim])
        for place, claim in enumerate(dict.fromkeys(row["claim"] for row in table.rows), start=1)
    ]
    return [_glance(found, page), *(block for anchor, rows in found for block in _claim(table, anchor, rows, page))]


def verdict_cell(verdict: str, runs: int = 0) -> Cell:
    """A verdict as symbol and word, with the class of its colour. runs: that it rests on; a single one is marked."""
    symbol = VERDICTS[verdict][0] if verdict in VERDICTS else "?"
    return Cell(f"{symbol} {verdict}", "one run" if runs == 1 else "", look=f"verdict v-{verdict.replace(' ', '-')}")


def _overall(rows: Sequence[Mapping[str, str]], page: Page) -> dict[str, Cell]:
    """Method -> the verdict over all architectures; the study's methods first, then the controls."""
    ordered = sorted((row for row in rows if row["model"] == ALL), key=lambda row: row["method"] not in page.methods)
    return {row["method"]: verdict_cell(row["verdict"], int(row["runs"])) for row in ordered}


def _glance(found: Sequence[tuple[str, Sequence[Mapping[str, str]]]], page: Page) -> Grid:
    subjects = [method for method in _overall(found[0][1], page) if method in page.methods]
    rows = []
    for anchor, rows_of_claim in found:
        verdicts = _overall(rows_of_claim, page)
        says = Cell(rows_of_claim[0]["says"], link=anchor, look="words")
        rows.append([says, *(verdicts.get(method, Cell("")) for method in subjects)])
    columns = [Column("claim", words=True), *(Column(method, words=True) for method in subjects)]
    return Grid("verdicts over all architectures", columns, rows, 1, kind="glance")


def _claim(table: TableOnPage, anchor: str, rows: Sequence[Mapping[str, str]], page: Page) -> list[Block]:
    """A claim, what it is measured by, and its verdicts."""
    first, measure = rows[0], rows[0]["measure"]
    meaning = (MEASURES[measure].__doc__ or "").splitlines()[0] if measure in MEASURES else ""
    meaning = f": {meaning}" if meaning else ""
    about = f"Source: {first['source']}. Measure: `{measure}`{meaning.replace('EQUAL', f'{EQUAL:g}')} Holds above "
    badges = [
        (method if method in page.methods else f"{method} (control)", cell)
        for method, cell in _overall(rows, page).items()
    ]
    by_run = page.tables.get("claims_by_run")
    runs = [row for row in by_run.rows if row["claim"] == first["claim"]] if by_run else []
    folded = [Fold(f"Run by run ({len(runs)})", [_runs(by_run, runs, page)])] if by_run and runs else []
    return [
        Heading(first["says"], anchor=anchor),
        Prose(f"{about}{float(first['threshold']):g}.", small=True),
        Badges("All architectures:", badges),
        _grid(table, [row for row in rows if row["model"] != ALL], page),
        *folded,
    ]


def _grid(table: TableOnPage, rows: Sequence[Mapping[str, str]], page: Page) -> Grid:
    """One claim on each architecture, the study's methods first, then the controls."""
    names = sorted(dict.fromkeys(row["method"] for row in rows), key=lambda method: method not in page.methods)
    ordered = sorted(rows, key=lambda row: names.index(row["method"]))
    columns = [
        Column("method", words=True),
        Column("architecture", words=True),
        Column("verdict", words=True),
        Column("value, interval"),
        Column("threshold"),
        Column("why", words=True),
    ]
    form, link = decimals(3), page.chains.file(table.path)
    shown = [
        [
            name(row["method"], "" if row["method"] in page.methods else "control"),
            name(row["model"]),
            verdict_cell(row["verdict"], int(row["runs"])),
            number(table, row, "value", KEYS, link, form, interval(row, form)),
            Cell(f"> {float(row['threshold']):g}", look="number"),
            words(row["reason"]),
        ]
        for row in ordered
    ]
    label = f"verdicts on: {ordered[0]['says']}" if ordered else "verdicts"
    return Grid(label, columns, shown, 1, first_of_block(ordered, "method"), kind="stack")


def _runs(table: TableOnPage, rows: Sequence[Mapping[str, str]], page: Page) -> Grid:
    """One claim in each run."""
    heads, start = run_heads(rows)
    columns = [
        *heads,
        Column("architecture", words=True),
        Column("verdict", words=True),
        Column("value, interval"),
        Column("why", words=True),
    ]
    form, keys = decimals(3), (*KEYS, "forget_ratio", "seed")
    shown, file = [], page.chains.file(table.path)
    for row in rows:
        value = number(table, row, "value", keys, link_of_run(row, page, file), form, interval(row, form))
        shown.append([*start(row), name(row["model"]), verdict_cell(row["verdict"]), value, words(row["reason"])])
    return Grid("each run", columns, shown, 2)


TABLE = Table(
    title="Claims",
    caption="The claims of config/claims.yaml put to the test. A claim holds on an architecture if the whole "
    "interval over people and training runs lies above its threshold at every forget ratio, fails if it lies below "
    'at any, and is inconclusive otherwise. A claim of forgetting also fails, as "model destroyed", where the model '
    "keeps less than half of what vanilla knows of the retain people. The verdict over all architectures first; below, "
    "each architecture. The source called brief is the description of MANU that this replication was given beside the "
    "paper.",
    section="claims",
    needs=("claims_by_ratio", "claims_file"),
    keys=tuple(column for column in COLUMNS if column not in NUMBERS),
    make=make,
    origin=origins({column: From("claims_by_ratio", KEYS, column) for column in NUMBERS}),
    show=show,
)
