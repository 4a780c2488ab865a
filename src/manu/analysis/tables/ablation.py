"""Variants of pruning beside each other: what is left of forget and of retain, and how selective each one is."""

from collections.abc import Mapping, Sequence

import pandas as pd

from manu.analysis.cells import rounded, sort_rows
from manu.analysis.grid import Cell, Column, Grid, TableOnPage, interval, name, number, percent
from manu.analysis.intervals import cell_seed
from manu.analysis.origin import From, Origin, select
from manu.analysis.page import Block, Heading, Page
from manu.analysis.page_rows import ASKED, UP, directions, run_of, seed_head
from manu.analysis.reading import Inputs
from manu.analysis.resampling import SHARE, SIGNED, draw_weights, ends, mean_draws
from manu.analysis.tables.base import Study, Table, intervals
from manu.evaluation.vocabulary import MODALITIES

RUN = ("model", "forget_ratio", "seed")
SELECTIVITY = "retain minus forget"
SPLITS = ("forget", "retain")
ACCURACY = From(
    ("vanilla", "variants"),
    (*RUN, "method", "modality"),
    "correct",
    {"task": ("classification",), "split": SPLITS},
)
COLUMNS = (*RUN, "method", "prune_ratio", "split", "modality", "accuracy", "n", "ci_low", "ci_high")


def settings(study: Study) -> dict:
    """variants: name -> prune ratio in percent; and the intervals."""
    ratios = {name: variant.settings["prune_ratio"] for name, variant in study.ablation.variants.items()}
    return {"variants": ratios, **intervals(study)}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """The variants beside vanilla (COLUMNS)."""
    variants, vanilla = inputs.answers("variants"), inputs.answers("vanilla")
    vanilla = vanilla[vanilla["forget_ratio"].isin(set(variants["forget_ratio"]))]
    answers = pd.concat([vanilla, variants], ignore_index=True)
    return ablation_table(answers, settings["variants"], **settings["intervals"])


def ablation_table(
    answers: pd.DataFrame, prune_ratios: Mapping[str, float], resamples: int, level: float
) -> pd.DataFrame:
    """Classification accuracy of each variant on forget and retain, by modality (COLUMNS), vanilla first.

    answers: vanilla's at the ablation's forget ratio and the variants'; prune_ratios: variant -> percent. The rows of
    the split SELECTIVITY hold accuracy on retain minus that on forget: a method that hits both alike has 0.
    Intervals are over people; the people of the two splits are drawn independently.
    """
    chosen = select(answers, ACCURACY.fixed)
    by_person = chosen.groupby([*RUN, "method", "split", "modality", "profile_id"])["correct"].agg(["sum", "count"])
    rows = []
    for keys, run in by_person.groupby(level=list(RUN)):
        there = set(run.index.get_level_values("method"))
        for method in [variant for variant in ("vanilla", *prune_ratios) if variant in there]:
            for modality in MODALITIES:
                draws, counts = {}, {}
                for split in SPLITS:
                    try:
                        cell = run.loc[(*keys, method, split, modality)].sort_index()
                    except KeyError:
                        continue  # a modality or split that was not asked
                    sums, counted = cell["sum"].to_numpy(float), cell["count"].to_numpy(float)
                    weights = draw_weights(len(cell), resamples, cell_seed(split, *cell.index))
                    seed = cell_seed(method, split, modality)
                    draws[split], counts[split] = mean_draws(weights, sums, counted, seed), int(counted.sum())
                if len(draws) == 2:
                    draws[SELECTIVITY] = draws["retain"] - draws["forget"]
                    counts[SELECTIVITY] = sum(counts.values())
                for split, values in draws.items():
                    within = SIGNED if split == SELECTIVITY else SHARE
                    value, low, high = ends(values, level, within)
                    ratio = prune_ratios.get(method, 0)
                    rows.append((*keys, method, ratio, split, modality, value, counts[split], low, high))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = sort_rows(table, [*RUN, "method"], {"method": ("vanilla", *prune_ratios)})
    return rounded(table, ("accuracy", "ci_low", "ci_high"))


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The variant's answers on the split, or on both."""
    difference = row["split"] == SELECTIVITY
    where = ACCURACY.where(row) | ({} if difference else {"split": (row["split"],)})
    return Origin(ACCURACY.origin(row).sources, where, "correct", mean=column == "accuracy" and not difference)


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """A row per variant: accuracy on forget and retain, and the difference, with intervals."""
    cells = {(*run_of(row), row["split"], row["modality"]): row for row in table.rows}
    there = {row["modality"] for row in table.rows}
    arrows = directions(page.tables.get("scores")) | {SELECTIVITY: UP}
    splits = sorted(dict.fromkeys(row["split"] for row in table.rows), key=lambda split: split == SELECTIVITY)
    shown = [(split, modality) for split in splits for modality in MODALITIES if modality in there]
    seeds, seed = seed_head(table.rows)
    columns = [
        Column("variant", words=True),
        Column("pruned"),
        *seeds,
        *(Column(ASKED[modality], f"{split}{arrows.get(split, '')}", modality) for split, modality in shown),
    ]
    keys, file = ("method", "seed", "forget_ratio", "split", "modality"), page.chains.file(table.path)

    def cell(row: Mapping[str, str] | None) -> Cell:
        return number(table, row, "accuracy", keys, file, small=interval(row, percent))  # one job asks all variants

    rows = [
        [
            name(run["method"]),
            Cell(f"{run['prune_ratio']} %", look="number"),
            *seed(run),
            *(cell(cells.get((*run_of(run), split, modality))) for split, modality in shown),
        ]
        for run in {run_of(row): row for row in table.rows}.values()
    ]
    label = f"{table.rows[0]['model']}: variants, forget ratio {table.rows[0]['forget_ratio']} percent"
    return [Heading(label), Grid(label, columns, rows, 1)]


TABLE = Table(
    title="Ablation",
    caption="Variants of pruning beside each other: classification accuracy on forget and retain, and the "
    "difference, in percent, with intervals over people. A variant that hits forget and retain "
    "alike has a difference of 0.",
    section="ablation",
    needs=("vanilla", "variants"),
    keys=(*RUN, "method", "prune_ratio", "split", "modality"),
    per_model=True,
    settings=settings,
    make=make,
    origin=origin,
    show=show,
)
