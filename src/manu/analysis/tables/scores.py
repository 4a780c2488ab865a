"""Every score: from single answers to one mean, n and interval per cell and metric."""

from collections.abc import Iterable, Mapping

import pandas as pd

from manu.analysis.cells import rounded
from manu.analysis.intervals import score_interval, t_interval
from manu.analysis.origin import From, Origin
from manu.analysis.reading import NEEDED_COLUMNS, QUESTION_KEYS, Inputs, check_columns
from manu.analysis.score_file import CELL_KEYS, SCORE_COLUMNS, sort_scores
from manu.analysis.tables.base import Study, Table, intervals
from manu.core.errors import UserError
from manu.evaluation import more_metrics
from manu.evaluation.metrics import METRICS, Metric
from manu.evaluation.vocabulary import LANGUAGE_TASKS, MODALITIES, SPLITS, TASKS


def settings(study: Study) -> dict:
    """The intervals, and the metrics beside the package's own, if any."""
    return intervals(study) | ({"metrics": list(study.metrics)} if study.metrics else {})


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """SCORE_COLUMNS, one row per cell and metric."""
    more = settings.get("metrics", ())
    answers = inputs.answers("answers", columns=(*NEEDED_COLUMNS, *(more_metrics.TEXTS if more else ())))
    answers = more_metrics.with_metrics(answers, more)
    return scores(answers, settings["intervals"]["level"], map(more_metrics.metric, more))


def scores(answers: pd.DataFrame, level: float = 0.95, more: Iterable[Metric] = ()) -> pd.DataFrame:
    """Tidy scores with SCORE_COLUMNS, in the order of `sort_scores`, whatever the order of the answers.

    answers: scored answers (NEEDED_COLUMNS), one row per question asked. value: mean over the answers of
    the cell, a fraction; n: the answers averaged; ci_low, ci_high: interval over people (`profile_id`) at `level`,
    of a metric in [0, 1] `score_interval`, of another `t_interval`, NaN of one person. Numbers are rounded to DECIMALS.
    more: metrics beside the package's own.
    Raises UserError on missing columns, unknown words, a question asked twice, or an answer not scored.
    """
    check_columns(list(answers.columns), "the answers")
    _check_rows(answers)
    answers = answers.sort_values(list(QUESTION_KEYS), ignore_index=True)  # sums in one order: the same last bit
    rows = []
    for metric in (*METRICS.values(), *more):
        chosen = answers[answers["task"].isin(metric.tasks)]
        if chosen.empty:
            continue
        come = _behind(metric)
        interval = score_interval if _is_share(metric, chosen[come.value]) else t_interval
        people = chosen.groupby([*come.keys, "profile_id"])[come.value].agg(["sum", "count"])
        for cell, group in people.groupby(level=list(come.keys)):
            sums, counts = group["sum"].to_numpy(), group["count"].to_numpy()
            low, high = interval(sums, counts, level)
            split = cell[CELL_KEYS.index("split")]
            value, n = sums.sum() / counts.sum(), int(counts.sum())
            rows.append((*cell, metric.name, metric.version, value, n, low, high, metric.higher_is_better_on(split)))
    return sort_scores(rounded(pd.DataFrame(rows, columns=list(SCORE_COLUMNS))))


def _is_share(metric: Metric, values: pd.Series) -> bool:
    """Whether the metric lies in [0, 1]: not the likelihood of a passage, nor what has a value outside."""
    return "passage" not in metric.tasks and bool(values.between(0, 1).all())


def _behind(metric: Metric) -> From:
    """A score is the mean over the answers of its cell."""
    return From("answers", CELL_KEYS, metric.column)


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The answers of the cell, whose mean the value is."""
    found = _behind(METRICS.get(row["metric"]) or more_metrics.metric(row["metric"])).origin(row)
    return Origin(found.sources, found.where, found.column, mean=column == "value")


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


TABLE = Table(
    title="Scores",
    caption="Every score: one row per model, method, forget ratio, seed, split, modality, task and metric, with "
    "the number of answers, an interval over people, the direction and the metric's version.",
    section="scores",
    needs=("answers",),
    keys=(*CELL_KEYS, "metric", "metric_version", "higher_is_better"),
    folder="",
    settings=settings,
    make=make,
    origin=origin,
    show=lambda table, page: [],
)
