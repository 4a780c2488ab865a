"""How well each run unlearned, against vanilla, which knows the forget set, and retain_only, which never saw it."""

from collections.abc import Mapping, Sequence

import pandas as pd

from manu.analysis import outcomes
from manu.analysis.grid import Cell, Column, Grid, TableOnPage, decimals, interval, number, spread
from manu.analysis.origin import Origin
from manu.analysis.outcomes import ANSWER_COLUMNS, BOTH, COLUMNS, OUTCOMES
from manu.analysis.page import Block, Fold, Heading, Page, Prose, Terms
from manu.analysis.page_rows import (
    ASKED,
    DOWN,
    RUN_KEYS,
    UP,
    by_model,
    first_of_block,
    in_run_order,
    link_of_run,
    run_heads,
    run_of,
)
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Table, intervals
from manu.core.words import MULTIMODAL
from manu.evaluation.vocabulary import MODALITIES

SHOWN = {  # metric -> (head, modalities)
    "forgetting_success": ("forgetting success", (*MODALITIES, BOTH)),
    "balanced_forgetting": ("balanced forgetting", (BOTH,)),
    "retention": ("retention", (BOTH,)),
    "forget_quality": ("forget quality", (MULTIMODAL,)),
    "retain_utility": ("retain utility", (BOTH,)),
}
NUMBERS = ("value", "n", "ci_low", "ci_high")


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Every outcome of every run and method (manu.analysis.outcomes.COLUMNS)."""
    return outcomes.outcomes(inputs.answers("answers", columns=ANSWER_COLUMNS), **settings["intervals"])


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The answers of the method and, where they enter, of the reference models."""
    return OUTCOMES[row["metric"]].origin(row)


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """A row per run and method; of several seeds their means first."""
    measured = {row["metric"] for row in table.rows}
    terms = [(head, OUTCOMES[metric].description) for metric, (head, _) in SHOWN.items() if metric in measured]
    means = by_model(_over_seeds(page.tables.get("seeds")))
    seeds = len({row["seed"] for row in table.rows})
    of_seeds = (
        f"Mean over {seeds} seeds ± their standard deviation; in brackets the interval over people, its ends the "
    )
    about = f"{of_seeds}means of the seeds'." if means else "In brackets the interval over people."
    blocks: list[Block] = [Prose(about, small=True), Fold("What they measure", [Terms(terms)])]
    for model, part in by_model(table).items():
        grid = _grid(part, page)
        blocks.append(Heading(model))
        blocks += [_grid(means[model], page, "mean"), Fold("Seed by seed", [grid])] if model in means else [grid]
    return blocks


def _over_seeds(seeds: TableOnPage | None) -> TableOnPage | None:
    """The outcomes in seeds.csv, their runs without a seed, if some have several; else None."""
    rows = [{**row, "seed": ""} for row in (seeds.rows if seeds else ()) if not row["task"]]
    return TableOnPage(seeds.path, rows) if seeds and any(int(row["seeds"]) > 1 for row in rows) else None


def _grid(table: TableOnPage, page: Page, value: str = "value") -> Grid:
    """One model's outcomes; each `value` with its spread, if it has one, and its interval."""
    better = {row["metric"]: row["higher_is_better"] == "True" for row in table.rows}
    cells = {(*run_of(row), row["metric"], row["modality"]): row for row in table.rows}
    there = {(metric, modality) for *_, metric, modality in cells}
    wanted = [(metric, head, asked) for metric, (head, modalities) in SHOWN.items() for asked in modalities]
    shown = [(metric, head, asked) for metric, head, asked in wanted if (metric, asked) in there]
    runs = in_run_order({run_of(row): row for row in table.rows}.values(), page)
    heads, start = run_heads(table.rows)
    columns = [*heads, *(_column(metric, head, modality, better[metric]) for metric, head, modality in shown)]
    rows, file = [], page.chains.file(table.path)
    keys, form = (*RUN_KEYS, "metric", "split", "modality"), decimals(2)
    for run in runs:
        link = link_of_run(run, page, file)

        def cell(row: Mapping[str, str] | None, link: str = link) -> Cell:
            beside = f"{spread(row, 'sd', form)} {interval(row, form)}".strip()
            return number(table, row, value, keys, link, form, beside)

        rows.append([*start(run), *(cell(cells.get((*run_of(run), metric, asked))) for metric, _, asked in shown)])
    return Grid(f"{table.rows[0]['model']}: outcomes", columns, rows, 2, first_of_block(runs, "forget_ratio"))


def _column(metric: str, head: str, modality: str, higher: bool) -> Column:
    asked = "over both" if SHOWN[metric][1] == (BOTH,) else ASKED[modality]
    return Column(asked, f"{head}{UP if higher else DOWN}", modality if modality in MODALITIES else "")


TABLE = Table(
    title="Outcomes",
    caption="How well each run unlearned, measured against vanilla, which knows the people to forget, and "
    "retain_only, which never saw them, with intervals over people.",
    section="outcomes",
    needs=("answers",),
    keys=tuple(column for column in COLUMNS if column not in NUMBERS),
    folder="",
    settings=intervals,
    make=make,
    origin=origin,
    show=show,
)
