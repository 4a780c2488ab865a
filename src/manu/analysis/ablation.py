"""Variants of pruning beside each other: what is left of forget and of retain, and how selective each one is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from manu.analysis import cells
from manu.analysis.cells import DECIMALS
from manu.analysis.intervals import cell_seed
from manu.analysis.origin import Origin, same
from manu.analysis.resampling import draw_weights, ends, weighted_mean
from manu.evaluation.vocabulary import MODALITIES

RUN = ("model", "forget_ratio", "seed")
SELECTIVITY = "retain minus forget"
COLUMNS = (*RUN, "method", "prune_ratio", "split", "modality", "accuracy", "n", "ci_low", "ci_high")


def ablation_table(
    answers: pd.DataFrame, prune_ratios: Mapping[str, float], resamples: int, level: float
) -> pd.DataFrame:
    """Classification accuracy of each variant on forget and retain, by modality (COLUMNS), vanilla first.

    answers: vanilla's at the ablation's forget ratio and the variants'; prune_ratios: variant -> percent. The rows of
    the split SELECTIVITY hold accuracy on retain minus that on forget: a method that hits both alike has 0.
    Intervals: bootstrap over people; the people of the two splits are drawn independently.
    """
    chosen = answers[(answers["task"] == "classification") & answers["split"].isin(["forget", "retain"])]
    by_person = chosen.groupby([*RUN, "method", "split", "modality", "profile_id"])["correct"].agg(["sum", "count"])
    rows = []
    for keys, run in by_person.groupby(level=list(RUN)):
        there = set(run.index.get_level_values("method"))
        for method in [name for name in ("vanilla", *prune_ratios) if name in there]:
            for modality in MODALITIES:
                draws, counts = {}, {}
                for split in ("forget", "retain"):
                    try:
                        cell = run.loc[(*keys, method, split, modality)].sort_index()
                    except KeyError:
                        continue  # a modality or split that was not asked
                    sums, counted = cell["sum"].to_numpy(float), cell["count"].to_numpy(float)
                    weights = draw_weights(len(cell), resamples, cell_seed(split, *cell.index))
                    draws[split], counts[split] = weighted_mean(weights, sums, counted), int(counted.sum())
                if len(draws) == 2:
                    draws[SELECTIVITY] = draws["retain"] - draws["forget"]
                    counts[SELECTIVITY] = sum(counts.values())
                for split, values in draws.items():
                    value, low, high = ends(values, level)
                    ratio = prune_ratios.get(method, 0)
                    rows.append((*keys, method, ratio, split, modality, value, counts[split], low, high))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = {name: place for place, name in enumerate(("vanilla", *prune_ratios))}
    place = np.array([order[name] for name in table["method"]], dtype=int)
    table = table.assign(place=place).sort_values([*RUN, "place"], kind="stable", ignore_index=True)
    return table[list(COLUMNS)].round(dict.fromkeys(("accuracy", "ci_low", "ci_high"), DECIMALS))


def csv_text(table: pd.DataFrame) -> str:
    """The table as CSV, the same byte for byte on every run."""
    ratios = [f"{ratio:g}" for ratio in table["prune_ratio"]]
    return cells.csv_text(table.assign(prune_ratio=ratios))


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The variant's answers on the split, or on both."""
    if column not in ("accuracy", "n", "ci_low", "ci_high"):
        return None
    splits = ("forget", "retain") if row["split"] == SELECTIVITY else (row["split"],)
    where = same(row, *RUN, "method", "modality") | {"split": splits, "task": ("classification",)}
    plain = column == "accuracy" and row["split"] != SELECTIVITY
    return Origin(("vanilla", "answers"), where, "correct", mean=plain)
