"""Every cell of the scores and of the outcomes over the seeds of a study: mean, spread, and the interval apart."""

from collections.abc import Mapping

import pandas as pd

from manu.analysis.origin import From, Origin
from manu.analysis.reading import Inputs
from manu.analysis.seeds import over_seeds
from manu.analysis.tables.base import Table

KEYS = ("model", "forget_ratio", "method", "split", "modality", "task", "metric", "metric_version")
NUMBERS = ("mean", "sd", "lowest", "highest", "ci_low", "ci_high")
COLUMNS = (*KEYS, "seeds", *NUMBERS, "higher_is_better")


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """One row per cell (COLUMNS)."""
    return seed_table(inputs.table("scores"), inputs.table("outcomes"))


def seed_table(scores: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per cell (COLUMNS), first those of scores.csv, then those of outcomes.csv, whose `task` is empty.

    seeds: those that have a value; sd: sample standard deviation over them, empty of one; ci_low, ci_high: mean of
    the ends of each seed's interval over people.
    """
    cells = [over_seeds(table) for table in (scores, outcomes) if len(table)]
    if not cells:
        return pd.DataFrame(columns=list(COLUMNS))
    names = {"value": "mean", **{f"value_{name}": name for name in ("sd", "lowest", "highest")}}
    return pd.concat(cells, ignore_index=True).rename(columns=names).reindex(columns=list(COLUMNS))


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The rows of the seeds, in the outcomes where there is no task."""
    value = column if column in ("ci_low", "ci_high") else "value"
    keys = [key for key in KEYS if key != "metric_version" and row[key]]
    return From("scores" if row["task"] else "outcomes", keys, value).origin(row)


TABLE = Table(
    title="Seeds",
    caption="Every score and outcome over the study's seeds: mean, standard deviation, lowest and highest seed, "
    "and, apart from them, the mean of the seeds' intervals over people.",
    section="seeds",
    needs=("scores", "outcomes"),
    keys=(*KEYS, "seeds", "higher_is_better"),
    make=make,
    origin=origin,
    show=lambda table, page: [],
)
