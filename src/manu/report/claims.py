"""The claims and what became of them: verdicts over all architectures, by architecture, and run by run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manu.analysis.claims import EQUAL, MEASURES
from manu.analysis.figures.claims_overview import VERDICTS
from manu.analysis.grid import Cell, Column, Grid, TableOnPage, decimals, interval, name, number, words
from manu.analysis.page_rows import first_of_block, run_heads
from manu.report.chains import Chains

ALL = "all architectures"


@dataclass(frozen=True)
class Claim:
    """A claim, what it is measured by, what became of it per method, and its tables."""

    anchor: str
    says: str
    source: str
    measure: str
    meaning: str
    threshold: str
    overall: Sequence[tuple[str, Cell]]  # (method, verdict)
    grid: Grid
    runs: Grid | None


def verdict_cell(verdict: str) -> Cell:
    """A verdict as symbol and word, with the class of its colour."""
    symbol = VERDICTS[verdict][0] if verdict in VERDICTS else "?"
    return Cell(f"{symbol} {verdict}", look=f"verdict v-{verdict.replace(' ', '-')}")


def claims(table: TableOnPage, by_run: TableOnPage | None, methods: Sequence[str], chains: Chains) -> list[Claim]:
    """The claims in the file's order; of each the study's methods first, then the controls.

    by_run: the same claims run by run.
    """
    found = []
    for place, claim in enumerate(dict.fromkeys(row["claim"] for row in table.rows), start=1):
        rows = [row for row in table.rows if row["claim"] == claim]
        names = sorted(dict.fromkeys(row["method"] for row in rows), key=lambda each: each not in methods)
        single = [row for each in names for row in rows if row["method"] == each and row["model"] != ALL]
        overall = [
            (row["method"], verdict_cell(row["verdict"]))
            for each in names
            for row in rows
            if row["method"] == each and row["model"] == ALL
        ]
        measure, first = rows[0]["measure"], rows[0]
        meaning = (MEASURES[measure].__doc__ or "").splitlines()[0] if measure in MEASURES else ""
        meaning = meaning.replace("EQUAL", f"{EQUAL:g}")
        runs = [row for row in by_run.rows if row["claim"] == claim] if by_run else []
        found.append(
            Claim(
                f"claim-{place}",
                first["says"],
                first["source"],
                measure,
                meaning,
                f"{float(first['threshold']):g}",
                overall,
                _claim_grid(table, single, methods, chains),
                _runs_grid(by_run, runs, chains) if runs else None,
            )
        )
    return found


def _claim_grid(table: TableOnPage, rows: Sequence[Mapping[str, str]], methods: Sequence[str], chains: Chains) -> Grid:
    columns = [
        Column("method", words=True),
        Column("architecture", words=True),
        Column("verdict", words=True),
        Column("value, interval"),
        Column("threshold"),
        Column("why", words=True),
    ]
    form, keys, link = decimals(3), ("claim", "model", "method"), chains.file(table.path)
    shown = [
        [
            name(row["method"], "" if row["method"] in methods else "control"),
            name(row["model"]),
            verdict_cell(row["verdict"]),
            number(table, row, "value", keys, link, form, interval(row, form)),
            Cell(f"> {float(row['threshold']):g}", look="number"),
            words(row["reason"]),
        ]
        for row in rows
    ]
    label = f"verdicts on: {rows[0]['says']}" if rows else "verdicts"
    return Grid(label, columns, shown, 1, first_of_block(rows, "method"))


def _runs_grid(table: TableOnPage, rows: Sequence[Mapping[str, str]], chains: Chains) -> Grid:
    heads, start = run_heads(rows)
    columns = [
        *heads,
        Column("architecture", words=True),
        Column("verdict", words=True),
        Column("value, interval"),
        Column("why", words=True),
    ]
    form, keys = decimals(3), ("claim", "model", "method", "forget_ratio", "seed")
    shown, file = [], chains.file(table.path)
    for row in rows:
        link = chains.run(row["model"], row["method"], row["forget_ratio"], row["seed"], otherwise=file)
        value = number(table, row, "value", keys, link, form, interval(row, form))
        shown.append([*start(row), name(row["model"]), verdict_cell(row["verdict"]), value, words(row["reason"])])
    return Grid("each run", columns, shown, 2)
