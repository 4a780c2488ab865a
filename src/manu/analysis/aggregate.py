"""From single answers to the tidy table of scores: one mean, n and interval per cell and metric."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet

from manu.analysis.cells import DECIMALS
from manu.analysis.intervals import bootstrap_interval, cell_seed
from manu.analysis.score_file import CELL_KEYS, SCORE_COLUMNS, sort_scores
from manu.core.diverged import unanswered
from manu.core.errors import UserError
from manu.evaluation.metrics import METRICS, Metric, columns_of
from manu.evaluation.vocabulary import LANGUAGE_TASKS, MODALITIES, SPLITS, TASKS

QUESTION_KEYS = (*CELL_KEYS, "profile_id", "question_id")
METRIC_COLUMNS = tuple(columns_of(TASKS))
NEEDED_COLUMNS = (*QUESTION_KEYS, *METRIC_COLUMNS)


def read_answers(path: str | Path, columns: Sequence[str] = NEEDED_COLUMNS) -> pd.DataFrame:
    """Columns of one answer file, those that the scores need, and the scores of texts if it has any; without rows where
    the model diverged.

    Raises UserError naming the file.
    """
    try:
        diverged = unanswered(path)
    except FileNotFoundError as error:
        raise UserError(f"no answers at {path}; the stage that asks the questions writes them") from error
    if diverged:
        return pd.DataFrame(columns=list(columns))
    present = pyarrow.parquet.read_schema(path).names
    _check_columns(present, str(path), columns)
    texts = [column for column in columns_of(LANGUAGE_TASKS) if column in present and column not in columns]
    return pd.read_parquet(path, columns=[*columns, *texts])


def read_all(paths: Iterable[str | Path], columns: Sequence[str] = NEEDED_COLUMNS) -> pd.DataFrame:
    """The answers of several files, one below the other. Models that diverged have none.

    Raises UserError as `read_answers` does, and where all diverged.
    """
    parts = [part for part in (read_answers(path, columns) for path in paths) if len(part)]
    if not parts:
        raise UserError("there are no answers: every model diverged; give the study smaller steps")
    return pd.concat(parts, ignore_index=True)


def scores(
    answers: pd.DataFrame, resamples: int = 1000, level: float = 0.95, more: Iterable[Metric] = ()
) -> pd.DataFrame:
    """Tidy scores with SCORE_COLUMNS, in the order of `sort_scores`, whatever the order of the answers.

    answers: scored answers (NEEDED_COLUMNS), one row per question asked. value: mean over the answers of
    the cell, a fraction; n: the answers averaged; ci_low, ci_high: bootstrap over people (`profile_id`)
    at `level`, seeded by the cell's keys. Numbers are rounded to DECIMALS. more: metrics beside the package's own.
    Raises UserError on missing columns, unknown words, a question asked twice, or an answer not scored.
    """
    _check_columns(list(answers.columns), "the answers")
    _check_rows(answers)
    answers = answers.sort_values(list(QUESTION_KEYS), ignore_index=True)  # sums in one order: the same last bit
    rows = []
    for metric in (*METRICS.values(), *more):
        chosen = answers[answers["task"].isin(metric.tasks)]
        if chosen.empty:
            continue
        people = chosen.groupby([*CELL_KEYS, "profile_id"])[metric.column].agg(["sum", "count"])
        for cell, group in people.groupby(level=list(CELL_KEYS)):
            sums, counts = group["sum"].to_numpy(), group["count"].to_numpy()
            low, high = bootstrap_interval(
                sums, counts, resamples=resamples, level=level, seed=cell_seed(*cell, metric.name)
            )
            split = cell[CELL_KEYS.index("split")]
            value, n = sums.sum() / counts.sum(), int(counts.sum())
            rows.append((*cell, metric.name, metric.version, value, n, low, high, metric.higher_is_better_on(split)))
    table = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    table[["value", "ci_low", "ci_high"]] = table[["value", "ci_low", "ci_high"]].round(DECIMALS)
    return sort_scores(table)


def _check_columns(present: Sequence[str], where: str, columns: Sequence[str] = NEEDED_COLUMNS) -> None:
    missing = [column for column in columns if column not in present]
    if missing:
        raise UserError(f"{where}: missing columns: {', '.join(missing)}; needed: {', '.join(columns)}")


def _check_rows(answers: pd.DataFrame) -> None:
    if answers.empty:
        raise UserError("there are no answers to aggregate")
    for column in QUESTION_KEYS:
        if answers[column].isna().any():
            raise UserError(f"{int(answers[column].isna().sum())} answers have an empty '{column}'")
    for column, words in (("split", SPLITS), ("modality", MODALITIES), ("task", (*TASKS, *LANGUAGE_TASKS))):
        unknown = sorted(set(answers[column]) - set(words))
        if unknown:
            raise UserError(f"unknown {column} '{unknown[0]}' in the answers; known: {', '.join(words)}")
    twice = answers.duplicated(list(QUESTION_KEYS))
    if twice.any():
        first = answers.loc[twice, list(QUESTION_KEYS)].iloc[0]
        named = ", ".join(f"{key} {value}" for key, value in first.items())
        raise UserError(f"{int(twice.sum())} questions stand twice in the answers; the first: {named}")
    for metric in METRICS.values():
        empty = answers[metric.column].isna() if metric.column in answers else True
        unscored = answers["task"].isin(metric.tasks) & empty
        if unscored.any():
            question = answers.loc[unscored, "question_id"].iloc[0]
            raise UserError(
                f"{int(unscored.sum())} answers have no '{metric.column}'; the first: question {question}; "
                "score them with manu.evaluation.scoring.score_answers"
            )
