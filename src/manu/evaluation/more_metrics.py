"""Metrics from outside the package: functions of a stored answer, computed when the scores are made of them.

No model is asked again for one: a study that names it in `metrics` has its means in scores.csv, with intervals.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from manu.core.errors import UserError
from manu.core.registry import Registry
from manu.evaluation.metrics import METRICS, Metric
from manu.evaluation.vocabulary import TASKS

TEXTS = ("prompt", "reference", "options", "reply", "choice", "option_log_likelihoods")  # beside the keys of an answer
_FOLDER = Path(__file__).parent
_REGISTRY = Registry("metric", __package__, _FOLDER, frozenset(file.stem for file in _FOLDER.glob("*.py")))


def known_metrics() -> list[str]:
    """Names of the metrics that a study may add."""
    return _REGISTRY.known()


def source_file(name: str) -> Path:
    """The metric's file. Raises UserError when the name is unknown."""
    return _REGISTRY.file(name)


def metric(name: str) -> Metric:
    """A metric by name. Raises UserError when it is unknown, and when its file does not define it rightly."""
    found = _REGISTRY.definition(name, lambda found: _mistake(name, found))
    return found


def with_metrics(answers: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Copy of the answers with a column for each metric, float64; NaN for tasks that it is not about.

    Raises UserError where a metric gives no number.
    """
    columns = {}
    for each in map(metric, names):
        asked = answers["task"].isin(each.tasks).to_numpy()
        values = np.full(len(answers), np.nan)
        values[asked] = [_value(each, row) for row in answers[asked].to_dict("records")]
        columns[each.column] = values
    return answers.assign(**columns)


def _value(metric: Metric, row: dict) -> float:
    value = metric.value(row)
    if not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise UserError(
            f"metric {metric.name!r}: question {row['question_id']} gives {value!r}; needed: a finite number"
        )
    return float(value)


def _mistake(name: str, found: object) -> str | None:
    if not isinstance(found, Metric):
        return f"is {found!r}; needed: a manu.evaluation.metrics.Metric"
    if name in METRICS:
        return f"has the name of a metric of the package, {name!r}; rename the file"
    if not found.name == found.column == name:
        return f"has the name {found.name!r} and the column {found.column!r}; needed: {name!r}, as the file"
    if unknown := sorted(set(found.tasks) - set(TASKS)) or ([] if found.tasks else ["nothing"]):
        return f"is about {unknown[0]!r}; needed: tasks among {', '.join(TASKS)}"
    if not callable(found.value):
        return f"has the value {found.value!r}; needed: a function of an answer's row"
    return None
