"""How well a run unlearned, measured against two models: vanilla, which knows the forget people, and retain_only,
which never saw them. Every value has an interval over people; a run's methods share the draws.

Option probabilities come from the stored log-likelihoods of the four options of a classification question, so
they need the likelihood protocol; under the letter protocol the metrics that rest on them are left out.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its parts are imported when first used

from manu.analysis.cells import DECIMALS
from manu.analysis.intervals import cell_seed
from manu.analysis.origin import Origin, same
from manu.analysis.resampling import draw_weights, ends, weighted_ks, weighted_mean
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
    """A metric of unlearning: its version, whether more is better, formula and source."""

    name: str
    version: str
    higher_is_better: bool
    description: str


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
        ),
        Outcome(
            "ks_statistic",
            "1",
            False,
            "two-sample Kolmogorov-Smirnov statistic between the truth ratios R of the method and of retain_only on "
            "the same questions (TOFU's forget quality is this test's p-value)",
        ),
        Outcome(
            "forgetting_success",
            "1",
            True,
            "(V - A) / (V - R) on forget, classification accuracies of vanilla V, the method A and retain_only R: "
            "0 = nothing forgotten, 1 = as if never seen",
        ),
        Outcome(
            "modality_gap",
            "1",
            False,
            "forgetting_success with the picture minus that by name, in absolute value",
        ),
        Outcome(
            "balanced_forgetting",
            "1",
            True,
            "harmonic mean of the two modalities' forgetting_success, each cut to [0, 1]; 0 if either is 0",
        ),
        Outcome("retention", "1", True, "A / V on retain, classification accuracy, mean over the modalities"),
        Outcome(
            "forget_quality",
            "1",
            True,
            "mean of: F = mean over forget and test of (1 - cloze, 1 - classification, 1 - ROUGE-L), truth_ratio, "
            "1 - answer_probability, 1 - ks_statistic, 1 - js_distance, the last four on forget; all over both "
            "modalities (Open-MMUnlearning, Chen et al. 2026)",
        ),
        Outcome(
            "model_utility",
            "1",
            True,
            "mean of classification, cloze and ROUGE-L over retain and celebrity and both modalities "
            "(Open-MMUnlearning, Chen et al. 2026)",
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
        cell = self.methods[method].means.get((split, modality, task))
        return None if cell is None else weighted_mean(self.weights[split], *cell)

    def over_options(self, method: str, split: str, modality: str, of: Callable) -> np.ndarray | None:
        """Mean over questions of a quantity of the options, `of(probabilities, right, retain_only's probabilities)`."""
        mine, gold = (self.methods[name].options.get((split, modality)) for name in (method, "retain_only"))
        if mine is None or gold is None:
            return None
        owner, probabilities, right = mine
        values = of(probabilities, right, gold[1])
        size = self.weights[split].shape[1]
        return weighted_mean(self.weights[split], np.bincount(owner, values, size), np.bincount(owner, minlength=size))

    def ks(self, method: str, modality: str) -> np.ndarray | None:
        mine, gold = (self.methods[name].options.get(("forget", modality)) for name in (method, "retain_only"))
        if mine is None or gold is None:
            return None
        ratios = [truth_ratios(probabilities, right) for _, probabilities, right in (mine, gold)]
        return weighted_ks(self.weights["forget"], mine[0], *ratios)

    def success(self, method: str, modality: str) -> np.ndarray | None:
        mine, known, gold = (self.mean(name, "forget", modality) for name in (method, *REFERENCES))
        if mine is None:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):  # undefined where vanilla knows no more than gold
            return np.where(known > gold, (known - mine) / (known - gold), np.nan)

    def count(self, method: str, split: str, modality: str, tasks: tuple[str, ...] = ("classification",)) -> int:
        cells = self.methods[method].means
        wanted = MODALITIES if modality == BOTH else (modality,)
        return int(sum(cells[split, m, t][1].sum() for m in wanted for t in tasks if (split, m, t) in cells))


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


def _average(parts: list[np.ndarray | None]) -> np.ndarray | None:
    there = [part for part in parts if part is not None]
    return sum(there) / len(there) if there else None


def _measures(run: Run, method: str) -> Iterator[tuple[str, str, str, np.ndarray | None, int]]:
    """(metric, split, modality, value per draw, answers) of one method in a run."""
    by_modality: dict[str, list[np.ndarray | None]] = {}
    for split in run.weights:
        ratio = _near_one if split in FORGET_SPLITS else _right_stands_out
        for modality in MODALITIES:
            n = run.count(method, split, modality)
            listed = [("answer_probability", _probability), ("truth_ratio", ratio), ("js_distance", _js)]
            for name, of in listed:
                values = run.over_options(method, split, modality, of)
                if split == "forget":
                    by_modality.setdefault(name, []).append(values)
                yield name, split, modality, values, n
    successes = []
    for modality in MODALITIES:
        n = run.count(method, "forget", modality)
        values, success = run.ks(method, modality), run.success(method, modality)
        by_modality.setdefault("ks_statistic", []).append(values)
        successes.append(success)
        yield "ks_statistic", "forget", modality, values, n
        yield "forgetting_success", "forget", modality, success, n
    n = run.count(method, "forget", BOTH)
    yield "forgetting_success", "forget", BOTH, _average(successes), n
    if all(success is not None for success in successes):
        picture, text = successes
        yield "modality_gap", "forget", BOTH, np.abs(picture - text), n
        yield "balanced_forgetting", "forget", BOTH, balanced(picture, text), n
    kept, whole = (_average([run.mean(m, "retain", x) for x in MODALITIES]) for m in (method, "vanilla"))
    if kept is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            yield "retention", "retain", BOTH, kept / whole, run.count(method, "retain", BOTH)

    def mean_over(splits: tuple[str, ...]) -> np.ndarray | None:
        parts = [run.mean(method, s, m, t) for s in splits if s in run.weights for m in MODALITIES for t in _TASKS]
        return _average(parts)

    def asked(splits: tuple[str, ...]) -> int:
        return sum(run.count(method, split, BOTH, tuple(_TASKS)) for split in splits if split in run.weights)

    known, over = mean_over(FORGET_SPLITS), {name: _average(parts) for name, parts in by_modality.items()}
    if known is not None and all(part is not None for part in over.values()):
        low = ("answer_probability", "ks_statistic", "js_distance")
        parts = [1 - known, over["truth_ratio"], *(1 - over[name] for name in low)]
        yield "forget_quality", "forget", BOTH, _average(parts), asked(FORGET_SPLITS)
    if any(split in run.weights for split in UTILITY_SPLITS):
        yield "model_utility", "retain", BOTH, utility(run, method), asked(UTILITY_SPLITS)


def balanced(picture: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Harmonic mean of two forgetting successes, each cut to [0, 1]; 0 if either is 0."""
    one, other = np.clip(picture, 0.0, 1.0), np.clip(text, 0.0, 1.0)
    return 2 * one * other / np.where(one + other > 0, one + other, 1.0)


def utility(run: Run, method: str) -> np.ndarray | None:
    """model_utility: mean over {retain, celebrity} x modalities x tasks; the splits' draws are independent."""
    splits = [split for split in UTILITY_SPLITS if split in run.weights]
    return _average([run.mean(method, s, m, t) for s in splits for m in MODALITIES for t in _TASKS])


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
            for name, split, modality, draws, n in _measures(run, method):
                if draws is not None:
                    outcome = OUTCOMES[name]
                    value, low, high = ends(draws, level)
                    better = outcome.higher_is_better
                    if name == "answer_probability":
                        better = split not in FORGET_SPLITS
                    rows.append((*keys, method, split, modality, name, outcome.version, value, n, low, high, better))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = ["value", "ci_low", "ci_high"]
    return table.assign(**table[numbers].astype("float64").round(DECIMALS))


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The answers that a value is computed from: the method's and, where they enter, the reference models'."""
    if column not in ("value", "n", "ci_low", "ci_high"):
        return None
    name = row["metric"]
    against = {
        "js_distance": ("retain_only",),
        "ks_statistic": ("retain_only",),
        "retention": ("vanilla",),
        "forget_quality": ("retain_only",),
    }
    if name in ("forgetting_success", "modality_gap", "balanced_forgetting"):
        against[name] = REFERENCES
    splits = {"forget_quality": FORGET_SPLITS, "model_utility": UTILITY_SPLITS}.get(name, (row["split"],))
    tasks = tuple(_TASKS) if name in ("forget_quality", "model_utility") else ("classification",)
    where = same(row, *RUN)
    where["method"] = tuple(dict.fromkeys((row["method"], *against.get(name, ()))))
    where |= {"split": splits, "task": tasks}
    where["modality"] = MODALITIES if row["modality"] == BOTH else (row["modality"],)
    return Origin(("answers",), where, "correct")
