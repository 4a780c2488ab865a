"""scores.csv: its columns, its row order, reading and writing it.

Numbers are rounded to DECIMALS before they are written, so that the file is the same byte for byte
on every run and what is read equals what was computed.
"""

from pathlib import Path

import pandas as pd

from manu.analysis.cells import csv_text
from manu.core.errors import UserError
from manu.core.files import write_text
from manu.evaluation.metrics import METRICS
from manu.evaluation.vocabulary import LANGUAGE_TASKS, MODALITIES, REFERENCES, SPLITS, TASKS

CELL_KEYS = ("study", "model", "method", "forget_ratio", "seed", "split", "modality", "task")
SCORE_COLUMNS = (*CELL_KEYS, "metric", "metric_version", "value", "n", "ci_low", "ci_high", "higher_is_better")
_ORDER = ("study", "model", "forget_ratio", "seed", "method", "split", "modality", "task", "metric")
_WORDS = {
    "method": REFERENCES,  # every other method follows, by name
    "split": SPLITS,
    "modality": MODALITIES,
    "task": (*TASKS, *LANGUAGE_TASKS),
    "metric": tuple(METRICS),
}


def sort_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows in the file's order: study, model, ratio, seed, method (references first), split, modality, ..."""

    def rank(column: pd.Series) -> pd.Series:
        words = _WORDS.get(column.name, ())
        position = {word: index for index, word in enumerate(words)}
        return column.map(lambda value: (position.get(value, len(words)), value))

    return scores.sort_values(list(_ORDER), key=rank, kind="stable", ignore_index=True)


def write_scores(scores: pd.DataFrame, path: str | Path) -> None:
    """Write the tidy table atomically; floats with DECIMALS digits after the point."""
    write_text(path, csv_text(scores[list(SCORE_COLUMNS)]))


def read_scores(path: str | Path) -> pd.DataFrame:
    """Read scores.csv. Raises UserError if it is missing, empty or lacks a column."""
    try:
        scores = pd.read_csv(path, dtype={"metric_version": str, "study": str})
    except FileNotFoundError as error:
        raise UserError(f"no scores at {path}; the rule make_scores writes them") from error
    except pd.errors.EmptyDataError as error:
        raise UserError(f"{path} is empty; the rule make_scores writes it") from error
    missing = [column for column in SCORE_COLUMNS if column not in scores.columns]
    if missing:
        raise UserError(f"{path} lacks the columns: {', '.join(missing)}; needed: {', '.join(SCORE_COLUMNS)}")
    return scores[list(SCORE_COLUMNS)]
