"""How well a run unlearned, measured against two models: vanilla, which knows the forget people, and retain_only,
which never saw them. Every value has an interval over people; a run's methods share the draws.

Option probabilities come from the stored log-likelihoods of the four options of a classification question, so
they need the likelihood protocol; under the letter protocol the metrics that rest on them are left out.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import scipy  # its parts are imported when first used

from manu.analysis.cells import DECIMALS
from manu.analysis.intervals import cell_seed
from manu.analysis.origin import Origin, same
from manu.analysis.resampling import (
    ANYTHING,
    POSITIVE,
    SHARE,
    absolute,
    calibrated,
    draw_weights,
    ends,
    mean_draws,
    weighted_ks,
)
from manu.core.errors import UserError
from manu.evaluation.vocabulary import FORGET_SPLITS, MODALITIES, REFERENCES

RUN = ("study", "model", "forget_ratio", "seed")
COLUMNS = (
    *RUN,
    "method",
    "split",
    "modality",
    "metric",
    "metric_version",
    "value",
    "n",
    "ci_low",
    "ci_high",
    "higher_is_better",
)
ANSWER_COLUMNS = (
    *RUN,
    "method",
    "split",
    "modality",
    "task",
    "profile_id",
    "question_id",
    "reference",
    "options",
    "option_log_likelihoods",
    "correct",
    "rougeL",
)
BOTH = "both"  # modality of what is taken over the two
UTILITY_SPLITS = ("retain", "celebrity")
_TASKS = {"classification": "correct", "cloze": "correct", "generation": "rougeL"}


@dataclass(frozen=True)
class Outcome:
    """A metric of unlearning: its version, whether more is better, formula and source, and what it is computed from.

    against: the reference models that enter; within: the range of its values; splits: those that it is over, beside the
    row's own if none; tasks: of the questions.
    """

    name: str
    version: str
    higher_is_better: bool
    description: str
    against: tuple[str, ...] = ()
    within: tuple[float, float] = SHARE
    splits: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ("classification",)

    def where(self, row: Mapping) -> dict[str, tuple]:
        """The method's own answers behind a row of the outcomes."""
        modality = row["modality"]
        return same(row, *RUN, "method") | {
            "split": self.splits or (row["split"],),
            "modality": MODALITIES if modality == BOTH else (modality,),
            "task": self.tasks,
        }

    def origin(self, row: Mapping) -> Origin:
        """Those answers and the reference models'."""
        methods = dict.fromkeys((row["method"], *self.against))
        return Origin(("answers",), self.where(row) | {"method": tuple(methods)}, "correct")


OUTCOMES = {
    outcome.name: outcome
    for outcome in (
        Outcome(
            "answer_probability",
            "1",
            False,
            "P(right option) among the four, P = softmax of their log-likelihoods (TOFU, Maini et al. 2024: "
            "probability for multiple choice). Better: lower on forget and test, higher elsewhere",
        ),
        Outcome(
            "truth_ratio",
            "1",
            True,
            "R = mean over the wrong options of P(option) / P(right option) (TOFU, with the options in the place of "
            "perturbed answers, and not normalised by length: the options are a few words each). On forget and test "
            "mean of min(R, 1/R): 1 = the right option looks like the others; elsewhere mean of max(0, 1 - R)",
        ),
        Outcome(
            "js_distance",
            "1",
            False,
            "Jensen-Shannon distance (base 2) between the four option probabilities and retain_only's for the same "
            "question, mean over questions: 0 = answers as if the people had never been seen",
            against=("retain_only",),
        ),
        Outcome(
            "ks_statistic",
            "1",
            False,
            "two-sample Kolmogorov-Smirnov statistic between the truth ratios R of the method and of retain_only on "
            "the same questions (TOFU's forget quality is this test's p-value)",
            against=("retain_only",),
        ),
        Outcome(
            "forgetting_success",
            "1",
            True,
            "(V - A) / (V - R) on forget, classification accuracies of vanilla V, the method A and retain_only R: "
            "0 = nothing forgotten, 1 = as if never seen",
            against=REFERENCES,
            within=ANYTHING,
        ),
        Outcome(
            "modality_gap",
            "1",
            False,
            "forgetting_success with the picture minus that by name, in absolute value",
            against=REFERENCES,
            within=POSITIVE,
        ),
        Outcome(
            "balanced_forgetting",
            "1",
            True,
            "harmonic mean of the two modalities' forgetting_success, each cut to [0, 1]; 0 if either is 0",
            against=REFERENCES,
        ),
        Outcome(
            "retention",
            "1",
            True,
            "A / V on retain, classification accuracy, mean over the modalities",
            against=("vanilla",),
            within=POSITIVE,
        ),
        Outcome(
            "forget_quality",
            "1",
            True,
            "mean of: F = mean over forget and test of (1 - cloze, 1 - classification, 1 - ROUGE-L), truth_ratio, "
            "1 - answer_probability, 1 - ks_statistic, 1 - js_distance, the last four on forget; all over both "
            "modalities (Open-MMUnlearning, Chen et al. 2026)",
            against=("retain_only",),
            splits=FORGET_SPLITS,
            tasks=tuple(_TASKS),
        ),
        Outcome(
            "model_utility",
            "1",
            True,
            "mean of classification, cloze and ROUGE-L over retain and celebrity and both modalities "
            "(Open-MMUnlearning, Chen et al. 2026)",
            splits=UTILITY_SPLITS,
            tasks=tuple(_TASKS),
        ),
    )
}


def option_probabilities(log_likelihoods: np.ndarray) -> np.ndarray:
    """Probabilities of the options among themselves. [questions, options] in nats -> [questions, options]."""
    return scipy.special.softmax(np.asarray(log_likelihoods, dtype=np.float64), axis=1)


def truth_ratios(probabilities: np.ndarray, right: np.ndarray) -> np.ndarray:
    """R, the mean over the wrong options of P(option) / P(right). [questions, options], right: index -> [questions]."""
    chosen = np.take_along_axis(probabilities, right[:, None], axis=1)[:, 0]
    others = (probabilities.sum(axis=1) - chosen) / (probabilities.shape[1] - 1)
    return others / np.maximum(chosen, np.finfo(np.float64).tiny)


class Answers:
    """One method's answers of one run, per person and per question, in the order of the run's people."""

    def __init__(self, answers: pd.DataFrame, people: Mapping[str, list[str]]) -> None:
        self.means: dict[tuple[str, str, str], tuple[np.ndarray, np.ndarray]] = {}
        self.options: dict[tuple[str, str], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self.questions: dict[tuple[str, str], list[str]] = {}
        for (split, modality, task), cell in answers.groupby(["split", "modality", "task"], sort=False):
            if split not in people:
                continue
            owner = cell["profile_id"].map({name: i for i, name in enumerate(people[split])}).to_numpy()
            value, size = cell[_TASKS[task]].to_numpy(np.float64), len(people[split])
            self.means[split, modality, task] = np.bincount(owner, value, size), np.bincount(owner, minlength=size)
            if task == "classification" and (cell["option_log_likelihoods"] != "").all():
                likelihoods = np.array([json.loads(text) for text in cell["option_log_likelihoods"]])
                right = [json.loads(o).index(r) for o, r in zip(cell["options"], cell["reference"], strict=True)]
                self.questions[split, modality] = list(cell["question_id"])
                self.options[split, modality] = owner, option_probabilities(likelihoods), np.array(right)


class Run:
    """The answers of all methods at one model, forget ratio and seed, and the draws of people they share."""

    def __init__(self, answers: pd.DataFrame, resamples: int) -> None:
        answers = answers.sort_values(["method", "split", "modality", "task", "question_id"], ignore_index=True)
        splits = [split for split in ("forget", "test", *UTILITY_SPLITS) if (answers["split"] == split).any()]
        people = {split: sorted(set(answers.loc[answers["split"] == split, "profile_id"])) for split in splits}
        # forget and test ask about the same people: they share the draws
        self.weights = {
            split: draw_weights(len(names), resamples, cell_seed(*names)) for split, names in people.items()
        }
        self.methods = {name: Answers(part, people) for name, part in answers.groupby("method", sort=False)}
        missing = [name for name in REFERENCES if name not in self.methods]
        if missing:
            known = ", ".join(REFERENCES)
            raise UserError(f"the answers hold no '{missing[0]}': unlearning is measured against {known}")
        for name, mine in self.methods.items():
            gold = self.methods["retain_only"].questions
            if any(gold.get(cell) != asked for cell, asked in mine.questions.items()):
                raise UserError(f"{name} was not asked the questions that retain_only was asked; evaluate both again")

    def mean(self, method: str, split: str, modality: str, task: str = "classification") -> np.ndarray | None:
        """Mean of one cell for each draw; None if it was not asked."""
        cell = self.methods[method].means.get((split, modality, task))
        if cell is None:
            return None
        return mean_draws(self.weights[split], *cell, cell_seed(method, split, modality, task))

    def mean_over(self, method: str, splits: Iterable[str]) -> np.ndarray | None:
        """Mean over splits, modalities and tasks of the mean of each; None where none of them was asked."""
        return _average(
            [self.mean(method, s, m, t) for s in splits if s in self.weights for m in MODALITIES for t in _TASKS]
        )

    def over_options(self, method: str, split: str, modality: str, of: Callable) -> np.ndarray | None:
        """Mean over questions of a quantity of the options, `of(probabilities, right, retain_only's probabilities)`."""
        mine, gold = (self.methods[name].options.get((split, modality)) for name in (method, "retain_only"))
        if mine is None or gold is None:
            return None
        owner, probabilities, right = mine
        values = of(probabilities, right, gold[1])
        weights = self.weights[split]
        if method == "retain_only" and of is _js:  # compared with itself
            return np.zeros(len(weights))
        sums, counts = (np.bincount(owner, each, weights.shape[1]) for each in (values, np.ones_like(values)))
        return mean_draws(weights, sums, counts, cell_seed(method, split, modality, of.__name__))

    def ks(self, method: str, modality: str) -> np.ndarray | None:
        """ks_statistic for each draw; None if it was not asked."""
        mine, gold = (self.methods[name].options.get(("forget", modality)) for name in (method, "retain_only"))
        if mine is None or gold is None:
            return None
        weights = self.weights["forget"]
        if method == "retain_only":  # compared with itself
            return np.zeros(len(weights))
        ratios = [truth_ratios(probabilities, right) for _, probabilities, right in (mine, gold)]
        return calibrated(weighted_ks(weights, mine[0], *ratios), len(mine[0]), weights.shape[1])

    def success(self, method: str, modality: str) -> np.ndarray | None:
        """forgetting_success for each draw; None if it was not asked."""
        mine, known, gold = (self.mean(name, "forget", modality) for name in (method, *REFERENCES))
        if mine is None:
            return None
        if known is None or gold is None:
            raise UserError(f"{method} was asked about forget ({modality}), {' or '.join(REFERENCES)} was not")
        with np.errstate(divide="ignore", invalid="ignore"):  # undefined where vanilla knows no more than gold
            return np.where(known > gold, (known - mine) / (known - gold), np.nan)

    def count(self, where: Mapping[str, tuple]) -> int:
        """How many answers of one method are behind a row of the outcomes (`Outcome.where`)."""
        cells = self.methods[where["method"][0]].means
        wanted = product(where["split"], where["modality"], where["task"])
        return int(sum(cells[cell][1].sum() for cell in wanted if cell in cells))


def _probability(probabilities: np.ndarray, right: np.ndarray, _: np.ndarray) -> np.ndarray:
    return np.take_along_axis(probabilities, right[:, None], axis=1)[:, 0]


def _near_one(probabilities: np.ndarray, right: np.ndarray, _: np.ndarray) -> np.ndarray:
    ratio = truth_ratios(probabilities, right)
    return np.minimum(ratio, 1 / ratio)


def _right_stands_out(probabilities: np.ndarray, right: np.ndarray, _: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 1.0 - truth_ratios(probabilities, right))


def _js(probabilities: np.ndarray, _: np.ndarray, gold: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # of equal distributions rounding may leave less than 0, and no root
        return np.nan_to_num(scipy.spatial.distance.jensenshannon(probabilities, gold, axis=1, base=2))


def _average(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    there = [part for part in parts if part is not None]
    return sum(there, np.zeros_like(there[0])) / len(there) if there else None


def _measures(run: Run, method: str) -> Iterator[tuple[str, str, str, np.ndarray | None]]:
    """(metric, split, modality, value per draw) of one method in a run; None where a metric has no value."""
    by_modality: dict[str, list[np.ndarray | None]] = {}
    for split in run.weights:
        ratio = _near_one if split in FORGET_SPLITS else _right_stands_out
        for modality in MODALITIES:
            for name, of in (("answer_probability", _probability), ("truth_ratio", ratio), ("js_distance", _js)):
                values = run.over_options(method, split, modality, of)
                if split == "forget":
                    by_modality.setdefault(name, []).append(values)
                yield name, split, modality, values
    successes = []
    for modality in MODALITIES:
        values, success = run.ks(method, modality), run.success(method, modality)
        by_modality.setdefault("ks_statistic", []).append(values)
        successes.append(success)
        yield "ks_statistic", "forget", modality, values
        yield "forgetting_success", "forget", modality, success
    yield "forgetting_success", "forget", BOTH, _average(successes)
    picture, text = successes
    if picture is not None and text is not None:
        yield "modality_gap", "forget", BOTH, absolute(picture - text)
        yield "balanced_forgetting", "forget", BOTH, balanced(picture, text)
    kept, whole = (_average([run.mean(m, "retain", x) for x in MODALITIES]) for m in (method, "vanilla"))
    if kept is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            yield "retention", "retain", BOTH, kept / whole
    known = run.mean_over(method, OUTCOMES["forget_quality"].splits)
    averages = {name: _average(parts) for name, parts in by_modality.items()}
    over = {name: part for name, part in averages.items() if part is not None}
    if known is not None and len(over) == len(averages):
        low = ("answer_probability", "ks_statistic", "js_distance")
        parts = [1 - known, over["truth_ratio"], *(1 - over[name] for name in low)]
        yield "forget_quality", "forget", BOTH, _average(parts)
    yield "model_utility", "retain", BOTH, utility(run, method)


def balanced(picture: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Harmonic mean of two forgetting successes, each cut to [0, 1]; 0 if either is 0."""
    one, other = np.clip(picture, 0.0, 1.0), np.clip(text, 0.0, 1.0)
    return 2 * one * other / np.where(one + other > 0, one + other, 1.0)


def utility(run: Run, method: str) -> np.ndarray | None:
    """model_utility: mean over {retain, celebrity} x modalities x tasks; the splits' draws are independent."""
    return run.mean_over(method, OUTCOMES["model_utility"].splits)


def outcomes(answers: pd.DataFrame, resamples: int = 1000, level: float = 0.95) -> pd.DataFrame:
    """Every outcome of every run and method (COLUMNS), rounded to DECIMALS.

    answers: ANSWER_COLUMNS, vanilla and retain_only among the methods. A value is NaN where it is not defined
    (forgetting_success where vanilla knows no more of the forget people than retain_only).
    Raises UserError when a reference is missing.
    """
    rows = []
    for keys, group in answers.groupby(list(RUN), sort=True):
        run = Run(group, resamples)
        for method in dict.fromkeys([*REFERENCES, *sorted(run.methods)]):
            for name, split, modality, draws in _measures(run, method):
                if draws is not None:
                    cell = dict(zip(RUN, keys, strict=True)) | {"method": method, "split": split, "modality": modality}
                    rows.append(cell | {"metric": name} | _values(OUTCOMES[name], cell, draws, run, level))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = ["value", "ci_low", "ci_high"]
    return table.assign(**table[numbers].astype("float64").round(DECIMALS))


def _values(outcome: Outcome, cell: Mapping, draws: np.ndarray, run: Run, level: float) -> dict:
    """A row's columns beside its keys."""
    value, low, high = ends(draws, level, outcome.within)
    higher = outcome.higher_is_better
    if outcome.name == "answer_probability":
        higher = cell["split"] not in FORGET_SPLITS
    numbers = {"value": value, "n": run.count(outcome.where(cell)), "ci_low": low, "ci_high": high}
    return {"metric_version": outcome.version, **numbers, "higher_is_better": higher}
