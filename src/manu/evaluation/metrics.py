"""The metrics as data: which task each belongs to, its version and the direction that is better.

Raise a metric's version whenever its value for the same reply and reference can change; every row of
scores.csv carries it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from manu.evaluation.vocabulary import FORGET_SPLITS


@dataclass(frozen=True)
class Metric:
    """One metric; its value for one answer is a float, in [0, 1] where its description says nothing else, in the column
    `column` of the answers. value: of one answer, its columns by name, where it comes from outside the package
    (manu.evaluation.more_metrics); the package's own are computed in manu.evaluation.scoring."""

    name: str
    column: str
    tasks: tuple[str, ...]
    version: str
    higher_is_better: bool  # of knowledge that should stay; turned round for the people to be forgotten
    description: str
    value: Callable[[Mapping[str, str]], float] | None = None

    def higher_is_better_on(self, split: str) -> bool:
        """Direction on a split: on forget and test a model that still knows has failed."""
        return self.higher_is_better != (split in FORGET_SPLITS)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "accuracy",
            "correct",
            ("classification", "cloze", "completion"),
            "1",
            True,
            "classification and completion: the chosen option is the right one; "
            "cloze: the reply holds the reference, case ignored",
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
    """The columns of the metrics that any of these tasks has, each once."""
    tasks = set(tasks)
    return list(dict.fromkeys(metric.column for metric in METRICS.values() if tasks & set(metric.tasks)))
