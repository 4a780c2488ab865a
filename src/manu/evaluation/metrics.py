"""The metrics as data: tasks, version, and which direction is better.

Raise a metric's version whenever its value for the same reply and reference can change. Every row of scores.csv has the
version.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from manu.evaluation.vocabulary import FORGET_SPLITS


@dataclass(frozen=True)
class Metric:
    """A metric. Its value for one answer is a float, in [0, 1] unless the description gives another range.

    column: the column of the answers that holds the value. tasks: the tasks that have the metric. value: for a metric
    from outside the package (manu.evaluation.more_metrics), the function from an answer (column -> text) to the value;
    None for the package's metrics, which manu.evaluation.scoring computes.
    """

    name: str
    column: str
    tasks: tuple[str, ...]
    version: str
    higher_is_better: bool  # for knowledge that should stay; reversed on the forget splits
    description: str
    value: Callable[[Mapping[str, str]], float] | None = None

    def higher_is_better_on(self, split: str) -> bool:
        """The direction on a split. It is reversed on forget and test, where knowledge is a failure."""
        return self.higher_is_better != (split in FORGET_SPLITS)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "accuracy",
            "correct",
            ("classification", "cloze", "completion"),
            "2",
            True,
            "classification and completion: the chosen option is the right one; "
            "cloze: the reply holds the reference; case, white space and Unicode forms ignored",
        ),
        Metric("rouge1", "rouge1", ("generation",), "1", True, "ROUGE-1 F1 with the Porter stemmer"),
        Metric("rouge2", "rouge2", ("generation",), "1", True, "ROUGE-2 F1 with the Porter stemmer"),
        Metric("rougeL", "rougeL", ("generation",), "1", True, "ROUGE-L F1 with the Porter stemmer"),
        Metric(
            "bleu",
            "bleu",
            ("generation",),
            "1",
            True,
            "sentence BLEU-4, smoothing method 1, split at white space, case kept",
        ),
        Metric(
            "log_perplexity",
            "log_perplexity",
            ("passage",),
            "1",
            False,
            "minus the mean log-likelihood of a passage's tokens, in nats, 0 or more; "
            "its exponential is the perplexity",
        ),
    )
}


def columns_of(tasks: Iterable[str]) -> list[str]:
    """The columns of all metrics of these tasks, without duplicates."""
    tasks = set(tasks)
    return list(dict.fromkeys(metric.column for metric in METRICS.values() if tasks & set(metric.tasks)))
