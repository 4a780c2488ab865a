"""What a table is: what it is made from, how it is made, and which rows each of its numbers comes from.

A table is a file in this folder, or outside of the package, with the constant TABLE; the file's stem is its name. The
workflow makes it, the audit follows its numbers, and the study's page and Snakemake's report show it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from manu.analysis.grid import Cell, Column, Grid, TableOnPage, is_empty, name, number
from manu.analysis.grid import words as sentence
from manu.analysis.origin import OriginOf
from manu.analysis.page import Block, Page
from manu.analysis.reading import Inputs

Study = Any  # a study that was read; `analysis` does not know how

_LONG = 40  # characters; a longer text of a plain grid may break
KINDS = ("training", "pruning", "prompting")  # of methods

# Sources that are no tables. Of a table per model they are that model's files.
SOURCES = {
    "answers": "the answers of vanilla, retain_only and every method",
    "vanilla": "the answers of the vanilla model",
    "start": "the answers, about the forget people, of the checkpoints that vanilla models start from",
    "random": "the answers of the vanilla model without random neurons",
    "variants": "the answers of the ablation's variants",
    "trials": "the answers of the trials that choose settings",
    "choices": "the chosen settings",
    "records": "the records of the jobs that make an edit",
    "neurons": "the lists of neurons with their activations",
    "harness_scores": "the scores of lm-evaluation-harness",
    "attacked_before": "the answers, before any attack, of the models that are attacked",
    "attacks": "the answers under attack",
    "signals": "what probes and membership inference read",
    "at_once": "the answers of the methods at the ratio of the last request",
    "in_turn": "the answers after each of several requests",
    "masks": "the masks of the pruning methods",
    "ablation_masks": "the masks of all of the ablation's variants",
    "variant_masks": "the masks of the ablation's variants that differ in their importance functions",
    "claims_file": "config/claims.yaml",
    "reported": "data/reported/reported.csv, the published numbers",
}


@dataclass(frozen=True)
class Table:
    """A table of a study.

    title, caption: on the page and in Snakemake's report, once whatever the number of models. needs: names of sources
    (SOURCES) and of other tables; keys: columns that say what a row is about, every other number has an origin; make:
    (inputs, settings) -> the frame; origin: where a number comes from (manu.analysis.origin); section: the id of the
    page's section.
    optional: more sources, which may have no files; a study that lists no tables has all whose `needs` it makes.
    per_model: made once per model, as <name>_<model>, from that model's files. settings: what the job may read of the
    study. folder: below the study's results. markdown: (frame, inputs, settings) -> a text for reading, written beside
    the CSV. show: what stands on the page below the caption. target: "all", or "robustness" for the attacks.
    """

    title: str
    caption: str
    needs: tuple[str, ...]
    keys: tuple[str, ...]
    make: Callable[[Inputs, Mapping], pd.DataFrame]
    origin: OriginOf
    optional: tuple[str, ...] = ()
    section: str = "more-tables"
    per_model: bool = False
    settings: Callable[[Study], dict] = lambda study: {}
    folder: str = "tables"
    markdown: Callable[[pd.DataFrame, Inputs, Mapping], str] | None = None
    show: Callable[[TableOnPage, Page], Sequence[Block]] | None = None
    target: str = "all"

    @property
    def sources(self) -> tuple[str, ...]:
        """Everything that the job reads."""
        return (*self.needs, *self.optional)

    def file(self, name: str, study: str, model: str = "{model}") -> str:
        """The CSV file of the table with this name. model: of a table per model; else without effect."""
        stem = f"{name}_{model}" if self.per_model else name
        return "/".join(part for part in ("results", study, self.folder, f"{stem}.csv") if part)

    def shown(self, table: TableOnPage, page: Page) -> Sequence[Block]:
        """What stands on the page: `show`, or one grid with every column, each number linked to its chain."""
        return self.show(table, page) if self.show else [plain_grid(table, self.keys, page, self.title)]


def plain_grid(table: TableOnPage, keys: Sequence[str], page: Page, label: str) -> Grid:
    """Every column of a table as it stands in the file; a number links to the chain of the file."""
    names = list(table.rows[0])
    words = {column for column in names if not all(_is_number(row[column]) for row in table.rows)}
    link = page.chains.file(table.path)

    def cell(row: Mapping[str, str], column: str) -> Cell:
        if column in keys or not _is_number(row[column]):
            text = sentence if len(row[column]) > _LONG else name
            return text(row[column]) if column in words else Cell(row[column], look="number")
        return number(table, row, column, [key for key in keys if key in row], link, lambda text: text)

    rows = sorted(table.rows, key=lambda row: row.get("model", ""))  # as by_model
    heads = [Column(column.replace("_", " "), words=column in words) for column in names]
    return Grid(label, heads, [[cell(row, column) for column in names] for row in rows], 1)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return is_empty(text)
    return True


def intervals(study: Study) -> dict:
    """The settings of a table with intervals and nothing else of the study."""
    return {"intervals": study.intervals.model_dump()}


def methods_of(study: Study) -> dict[str, dict]:
    """Method -> its kind and, if that is fixed, its prune ratio in percent, in the study's order."""
    kinds = {name: kind for kind in KINDS for name in study.methods_of_kind(kind)}
    ratios = {name: settings.get("prune_ratio") for name, settings in study.methods.items()}
    return {
        name: {"kind": kinds[name]} | ({"prune_ratio": ratio} if isinstance(ratio, int | float) else {})
        for name, ratio in ratios.items()
    }
