"""What the pruned neurons did before they went: how strongly and how often they fired, beside those that were kept.

A ratio of importances is large where the retain importance is near zero, so a neuron that hardly fires on retain
can win whatever it does on forget. This table shows whether that is what happened.
"""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from manu.analysis.cells import rounded
from manu.analysis.grid import Cell, Column, Grid, TableOnPage, decimals, is_empty, name, number, percent
from manu.analysis.origin import Origin, same, select
from manu.analysis.page import Block, Fold, Page, Prose
from manu.analysis.page_rows import run_of, seed_head
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Table
from manu.core.words import MODALITIES, SETS

SILENT = 0.05  # a neuron that fires on less than this share of samples counts as silent
NEURON_COLUMNS = (
    "model",
    "method",
    "forget_ratio",
    "seed",
    "site",
    "part",
    "layer",
    "index",
    "pruned",
    *(f"magnitude_{s}_{m}" for s in SETS for m in MODALITIES),
    *(f"firing_{s}_{m}" for s in SETS for m in MODALITIES),
)
KEYS = ("model", "method", "forget_ratio", "seed")
NUMBERS = (
    "magnitude_forget",
    "magnitude_retain",
    "forget_over_retain",
    "firing_forget",
    "firing_retain",
    "silent_on_retain",
    "silent_on_both",
)
COLUMNS = (*KEYS, "part", "group", "neurons", *NUMBERS)
GROUPS = ("pruned", "kept")


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Pruned and kept neurons beside each other (COLUMNS)."""
    return summary(inputs.table("neurons"))


def in_group(part: str, group: str) -> dict[str, tuple]:
    """The neurons of a group: `pruned` or `kept`, of a part of the model or of all."""
    return {"pruned": (group == "pruned",)} | ({} if part == "all" else {"part": (part,)})


def summary(neurons: pd.DataFrame) -> pd.DataFrame:
    """Pruned and kept neurons of each part, and of both, beside each other (COLUMNS); no row for an empty group.

    neurons: NEURON_COLUMNS, one row per neuron. magnitude: median over the neurons of the mean |z| (the larger of
    the two modalities); forget_over_retain: median of the ratio of the two; firing: median share of samples with
    |z| > tau (the larger modality); silent_on_retain: share of the neurons that fire on less than SILENT of the
    retain samples in either modality; silent_on_both: on less than SILENT of forget and of retain samples.
    """
    strongest = neurons.assign(
        **{
            f"{what}_{s}": neurons[[f"{what}_{s}_{m}" for m in MODALITIES]].max(axis=1)
            for what in ("magnitude", "firing")
            for s in SETS
        }
    )
    rows = []
    for keys, cell in strongest.groupby(list(KEYS), sort=True):
        for part in ("all", *dict.fromkeys(cell["part"])):
            for group in GROUPS:
                chosen = select(cell, in_group(part, group))
                if len(chosen):
                    rows.append((*keys, part, group, len(chosen), *_numbers(chosen)))
    return rounded(pd.DataFrame(rows, columns=list(COLUMNS)), NUMBERS)


def _numbers(chosen: pd.DataFrame) -> list[float]:
    """NUMBERS of a group of neurons."""
    quiet = {s: chosen[f"firing_{s}"] < SILENT for s in SETS}
    ratio = chosen["magnitude_forget"] / chosen["magnitude_retain"].clip(lower=1e-12)
    medians = [chosen["magnitude_forget"], chosen["magnitude_retain"], ratio]
    medians += [chosen["firing_forget"], chosen["firing_retain"]]
    silent = [quiet["retain"], quiet["retain"] & quiet["forget"]]
    return [values.median() for values in medians] + [values.mean() for values in silent]


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The neurons of the group."""
    return Origin(("neurons",), same(row, *KEYS) | in_group(row["part"], row["group"]), "magnitude_forget_multimodal")


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """The numbers over all runs in a sentence, then part by part."""
    grids = [_grid(table, part, page) for part in dict.fromkeys(row["part"] for row in table.rows)]
    folded = [Fold(grid.label, [grid]) for grid in grids[1:]]
    note = Prose("Magnitudes and firing are medians over the neurons, in the modality in which each is larger.", True)
    sentence = _sentence(table)
    return [*([Prose(sentence)] if sentence else []), note, grids[0], *folded]


def _grid(table: TableOnPage, part: str, page: Page) -> Grid:
    """Pruned and kept neurons of one part beside each other, all models and runs."""
    chosen = [row for row in table.rows if row["part"] == part]
    keys, link = (*KEYS, "part", "group"), page.chains.file(table.path)
    (seeds, seed), three = seed_head(chosen), decimals(3)
    numbers: list[tuple[str, Column, Callable[[str], str]]] = [
        ("neurons", Column("neurons"), str),
        ("magnitude_forget", Column("forget", "magnitude, median"), three),
        ("magnitude_retain", Column("retain", "magnitude, median"), three),
        ("forget_over_retain", Column("forget / retain", "magnitude, median"), decimals(2)),
        ("firing_forget", Column("forget", "fires, % of samples"), percent),
        ("firing_retain", Column("retain", "fires, % of samples"), percent),
        ("silent_on_retain", Column("retain", "silent, % of neurons"), percent),
        ("silent_on_both", Column("both", "silent, % of neurons"), percent),
    ]
    rows = [
        [
            *(name(row[key]) for key in ("group", "model", "method")),
            Cell(f"{row['forget_ratio']} %", look="number"),
            *seed(row),
            *(number(table, row, column, keys, link, form) for column, _, form in numbers),
        ]
        for row in chosen
    ]
    heads = [*(Column(head, words=True) for head in ("group", "model", "method")), Column("forget")]
    columns = [*heads, *seeds, *(column for _, column, _ in numbers)]
    starts = frozenset(i for i in range(1, len(chosen)) if run_of(chosen[i]) != run_of(chosen[i - 1]))
    return Grid(f"pruned and kept neurons, {part}", columns, rows, 1, starts)


def _sentence(table: TableOnPage) -> str:
    """Pruned beside kept neurons in words, over all runs of the table; empty without one of the groups."""

    def span(group: str, column: str, form: Callable[[str], str]) -> str:
        rows = [row for row in table.rows if row["part"] == "all" and row["group"] == group]
        values = sorted((row[column] for row in rows if not is_empty(row[column])), key=float)
        return " to ".join(dict.fromkeys(map(form, (values[0], values[-1])))) if values else ""

    two, parts = decimals(2), []
    for group in GROUPS:
        ratio, silent = span(group, "forget_over_retain", two), span(group, "silent_on_retain", percent)
        if not ratio or not silent:
            return ""
        parts.append(f"{group} neurons {ratio}, and {silent}\N{NO-BREAK SPACE}% of them are silent on retain")
    silent = f"fire on less than {100 * SILENT:g}\N{NO-BREAK SPACE}% of the samples"
    return f"Over all runs the median ratio is: {'; '.join(parts)} ({silent})."


TABLE = Table(
    title="Activations",
    caption="Why pruning forgets as much, or as little, as it does: what the pruned neurons did on forget and on "
    "retain before they were pruned, beside those that were kept. Where the magnitude on forget is about "
    "that on retain (forget / retain near 1), a neuron serves both alike, and pruning it cannot remove "
    "the one and keep the other.",
    section="activations",
    needs=("neurons",),
    keys=(*KEYS, "part", "group"),
    make=make,
    origin=origin,
    show=show,
)
