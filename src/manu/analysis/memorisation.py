"""What the vanilla model learned of the forget people, beside the checkpoint that it started from."""

import pandas as pd

from manu.analysis.reading import NEEDED_COLUMNS
from manu.evaluation.metrics import METRICS

KEYS = ("model", "forget_ratio", "seed", "modality", "task", "metric")
COLUMNS = (*KEYS, "start", "vanilla", "lead")
MEASURES = {"classification": "accuracy", "cloze": "accuracy", "generation": "rougeL"}  # task -> metric
ANSWER_COLUMNS = NEEDED_COLUMNS


def memorised(start: pd.DataFrame, vanilla: pd.DataFrame) -> pd.DataFrame:
    """COLUMNS, one row per run, modality and task: both means over the questions on forget, and their difference.

    start, vanilla: answers of the two (ANSWER_COLUMNS). All numbers are fractions. A run without answers of both, and a
    modality or task that was not asked, has no row.
    """
    both = pd.concat({"start": _means(start), "vanilla": _means(vanilla)}, axis="columns", join="inner")
    return both.assign(lead=both["vanilla"] - both["start"]).reset_index()[list(COLUMNS)]


def overall(rows: pd.DataFrame) -> pd.Series:
    """start, vanilla and lead of some rows of `memorised`: the mean over modalities and tasks, all of equal weight."""
    return rows[["start", "vanilla", "lead"]].mean()


def _means(answers: pd.DataFrame) -> pd.Series:
    """The mean of each cell of KEYS on forget."""
    forget, parts = answers[answers["split"] == "forget"], []
    for task, metric in MEASURES.items():
        cells = forget[forget["task"] == task].assign(metric=metric)
        parts.append(cells.groupby(list(KEYS))[METRICS[metric].column].mean())
    return pd.concat(parts).astype(float)
