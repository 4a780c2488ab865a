"""Metrics from outside the package: functions of a stored answer.

They are computed when the scores are made, without asking the model again. A study names them in `metrics`; scores.csv
then has their means and intervals.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from manu.core.errors import UserError
from manu.core.registry import Registry
from manu.evaluation.metrics import METRICS, Metric
from manu.evaluation.vocabulary import TASKS

TEXTS = (
    "prompt",
    "reference",
    "options",
    "answer_variants",
    "reply",
    "choice",
    "option_log_likelihoods",
    "answer_losses",
)  # columns of an answer besides its keys
_FOLDER = Path(__file__).parent
_REGISTRY = Registry("metric", __package__, _FOLDER, frozenset(file.stem for file in _FOLDER.glob("*.py")))


def known_metrics() -> list[str]:
    """Names of the metrics that a study can add."""
    return _REGISTRY.known()


def source_file(name: str) -> Path:
    """The metric's file. Raises UserError when the name is unknown."""
    return _REGISTRY.file(name)


def metric(name: str) -> Metric:
    """A metric by name. Raises UserError when the name is unknown or its file does not define a valid metric."""
    return _REGISTRY.definition(name, lambda value: _mistake(name, value))


def with_metrics(answers: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """A copy of the answers with a float64 column for every metric; NaN for the tasks that do not have it.

    Raises UserError when a metric does not return a finite number.
    """
    columns = {}
    for extra in map(metric, names):
        chosen = answers["task"].isin(extra.tasks).to_numpy()
        values = np.full(len(answers), np.nan)
        values[chosen] = [_value(extra, row) for row in answers[chosen].to_dict("records")]
        columns[extra.column] = values
    return answers.assign(**columns)


def _value(metric: Metric, row: dict) -> float:
    value = metric.value(row) if metric.value else None
    if not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise UserError(
            f"metric {metric.name!r}: question {row['question_id']} gives {value!r}; needed: a finite number"
        )
    return float(value)


def _mistake(name: str, value: object) -> str | None:
    """What is wrong with the constant METRIC of the file `name`, if anything."""
    if not isinstance(value, Metric):
        return f"is {value!r}; needed: a manu.evaluation.metrics.Metric"
    if name in METRICS:
        return f"has the name of a metric of the package, {name!r}; rename the file"
    if not value.name == value.column == name:
        return f"has the name {value.name!r} and the column {value.column!r}; needed: {name!r}, the file's name"
    if not value.tasks:
        return f"has no tasks; needed: tasks among {', '.join(TASKS)}"
    if unknown := sorted(set(value.tasks) - set(TASKS)):
        return f"has the unknown task {unknown[0]!r}; needed: tasks among {', '.join(TASKS)}"
    if not callable(value.value):
        return f"has the value {value.value!r}; needed: a function of an answer's row"
    return None
