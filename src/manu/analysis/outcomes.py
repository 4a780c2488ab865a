"""How well a run unlearned, measured against two models: vanilla, which knows the forget people, and retain_only,
which never saw them. Every value has an interval over people; a run's methods share the draws.

Metrics named option_... rest on the stored log-likelihoods of the four options of a classification question, so they
need the likelihood protocol; under the letter protocol they are left out. Metrics that rest on a truth ratio need a
paraphrase and false versions of every reference answer (manu.evaluation.variants); without them they are left out.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import scipy  # its parts are imported when first used

from manu.analysis import open_mmunlearning as published
from manu.analysis.cells import rounded
from manu.analysis.chance import guessed
from manu.analysis.intervals import cell_seed
from manu.analysis.open_mmunlearning import Sample
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
)
from manu.core.errors import UserError
from manu.core.words import MULTIMODAL
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
    "answer_losses",
    "correct",
    "rougeL",
)
BOTH = "both"  # modality of what is taken over the two
UTILITY_SPLITS = ("retain", "celebrity")
_TASKS = {"classification": "correct", "cloze": "correct", "generation": "rougeL"}


@dataclass(frozen=True)
class Outcome:
    """A metric of unlearning: its version, whether more is better, formula and source, and what it is computed from.

    against: the reference models that enter; within: the range of its values; splits: those that it is over, the row's
    own if none; beside: splits of the same model that it is compared with; tasks: of the questions. of_knowledge: it
    measures what the model knows, so that its direction is reversed on forget and test (and `higher_is_better` holds
    elsewhere). column: of the answers, which is shown with them.
    """

    name: str
    version: str
    higher_is_better: bool
    description: str
    against: tuple[str, ...] = ()
    within: tuple[float, float] = SHARE
    splits: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ("classification",)
    of_knowledge: bool = False
    column: str = "correct"

    def where(self, row: Mapping) -> dict[str, tuple]:
        """The method's own answers that a row of the outcomes is about."""
        modality = row["modality"]
        return same(row, *RUN, "method") | {
            "split": self.splits or (row["split"],),
            "modality": MODALITIES if modality == BOTH else (modality,),
            "task": self.tasks,
        }

    def origin(self, row: Mapping) -> Origin:
        """Those answers, the splits beside them, and the reference models'."""
        methods, where = dict.fromkeys((row["method"], *self.against)), self.where(row)
        behind = where | {"method": tuple(methods), "split": (*where["split"], *self.beside)}
        return Origin(("answers",), behind, self.column)

    def higher_is_better_on(self, split: str) -> bool:
        """The direction on a split."""
        return self.higher_is_better != (self.of_knowledge and split in FORGET_SPLITS)


_PEER = "Open-MMUnlearning (Chen et al. 2026)"
_LOSS = (
    "l = minus the mean log-likelihood of an answer's tokens after a generation question, in nats, end token left out"
)
_RATIO = "R = exp((l(reference) + l(paraphrase)) / 2 - mean l(false answers))"
OUTCOMES = {
    outcome.name: outcome
    for outcome in (
        Outcome(
            "answer_probability",
            "2",
            True,
            f"exp(-l(reference)); {_LOSS} ({_PEER}). Better: lower on forget and test, higher elsewhere",
            tasks=("generation",),
            column="answer_losses",
            of_knowledge=True,
        ),
        Outcome(
            "truth_ratio",
            "2",
            True,
            f"{_RATIO}; on forget and test mean of min(R, 1/R): 1 = the truth is as likely as the false answers; "
            f"elsewhere mean of max(0, 1 - R) ({_PEER}, R and transform as in the public code; paraphrase and false "
            "answers in the benchmark's own wordings)",
            tasks=("generation",),
            column="answer_losses",
        ),
        Outcome(
            "ks_statistic",
            "2",
            False,
            f"two-sample Kolmogorov-Smirnov statistic between the truth ratios R of the split and those of the retain "
            f"split, same model ({_PEER})",
            beside=("retain",),
            tasks=("generation",),
            column="answer_losses",
        ),
        Outcome(
            "js_distance",
            "2",
            False,
            f"Jensen-Shannon distance between the same two, as histograms of {published.BINS} bins over their common "
            f"range, in nats: at most sqrt(ln 2) = 0.83 ({_PEER})",
            beside=("retain",),
            tasks=("generation",),
            column="answer_losses",
        ),
        Outcome(
            "forget_quality",
            "2",
            True,
            "with the picture, mean of: mean over forget and test of F = mean of (1 - cloze, 1 - classification, "
            "1 - ROUGE-L), and on forget truth_ratio, 1 - answer_probability, 1 - ks_statistic, 1 - js_distance "
            f"({_PEER}, equation 53)",
            splits=FORGET_SPLITS,
            beside=("retain",),
            tasks=tuple(_TASKS),
        ),
        Outcome(
            "retain_utility",
            "1",
            True,
            "mean of classification, cloze and ROUGE-L over retain and celebrity and both modalities "
            f"({_PEER}, U_retain of equation 55; their Model Utility is its mean with seven general benchmarks)",
            splits=UTILITY_SPLITS,
            tasks=tuple(_TASKS),
        ),
        Outcome(
            "option_probability",
            "1",
            True,
            "ours: P(right option) among the four, P = softmax of their log-likelihoods (after TOFU's probability for "
            "multiple choice, Maini et al. 2024). Better: lower on forget and test, higher elsewhere",
            of_knowledge=True,
        ),
        Outcome(
            "option_truth_ratio",
            "1",
            True,
            "ours: Q = mean over the wrong options of P(option) / P(right option), not normalised by length: the "
            "options are a few words each. On forget and test mean of min(Q, 1/Q): 1 = the right option looks like the "
            "others; elsewhere mean of max(0, 1 - Q) (after TOFU's truth ratio)",
        ),
        Outcome(
            "option_js_to_retain_only",
            "1",
            False,
            "ours: Jensen-Shannon distance (base 2) between the four option probabilities and retain_only's for the "
            "same question, mean over questions: 0 = answers as if the people had never been seen",
            against=("retain_only",),
        ),
        Outcome(
            "option_ks_to_retain_only",
            "1",
            False,
            "ours: two-sample Kolmogorov-Smirnov statistic between the Q of the method and of retain_only on the same "
            "questions (after TOFU, whose forget quality is this test's p-value on its truth ratios)",
            against=("retain_only",),
        ),
        Outcome(
            "option_forget_score",
            "1",
            True,
            "ours: mean of F (as in forget_quality), option_truth_ratio, 1 - option_probability, "
            "1 - option_ks_to_retain_only, 1 - option_js_to_retain_only, the last four on forget; all over both "
            "modalities",
            against=("retain_only",),
            splits=FORGET_SPLITS,
            tasks=tuple(_TASKS),
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
    )
}


def option_probabilities(log_likelihoods: np.ndarray) -> np.ndarray:
    """Probabilities of the options among themselves. [questions, options] in nats -> [questions, options]."""
    return scipy.special.softmax(np.asarray(log_likelihoods, dtype=np.float64), axis=1)


def option_truth_ratios(probabilities: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Q, the mean over the wrong options of P(option) / P(right). [questions, options], right: index -> [questions]."""
    chosen = np.take_along_axis(probabilities, right[:, None], axis=1)[:, 0]
    others = (probabilities.sum(axis=1) - chosen) / (probabilities.shape[1] - 1)
    return others / np.maximum(chosen, np.finfo(np.float64).tiny)


class Answers:
    """One method's answers of one run, per person and per question, in the order of the run's people."""

    def __init__(self, answers: pd.DataFrame, people: Mapping[str, list[str]]) -> None:
        self.means: dict[tuple[str, str, str], tuple[np.ndarray, np.ndarray]] = {}
        self.options: dict[tuple[str, str], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self.questions: dict[tuple[str, str], list[str]] = {}
        self.losses: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
        self.chance: dict[tuple[str, str], float] = {}  # accuracy of guessing
        for (split, modality, task), cell in answers.groupby(["split", "modality", "task"], sort=False):
            if split not in people:
                continue
            owner = cell["profile_id"].map({name: i for i, name in enumerate(people[split])}).to_numpy()
            value, size = cell[_TASKS[task]].to_numpy(np.float64), len(people[split])
            self.means[split, modality, task] = np.bincount(owner, value, size), np.bincount(owner, minlength=size)
            if task == "classification":
                self.chance[split, modality] = guessed(cell["options"])
            if task == "classification" and (cell["option_log_likelihoods"] != "").all():
                likelihoods = np.array([json.loads(text) for text in cell["option_log_likelihoods"]])
                right = [json.loads(o).index(r) for o, r in zip(cell["options"], cell["reference"], strict=True)]
                self.questions[split, modality] = list(cell["question_id"])
                self.options[split, modality] = owner, option_probabilities(likelihoods), np.array(right)
            if task == "generation" and (cell["answer_losses"] != "").all():
                losses = [json.loads(text) for text in cell["answer_losses"]]
                fewest = min(map(len, losses))  # some answers may have no variants
                self.losses[split, modality] = owner, np.array([each[:fewest] for each in losses])


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

    def kept(self, method: str) -> float:
        """The share of vanilla's classification accuracy above chance on retain that a method keeps, in the modality
        in which it keeps less; NaN where that is not asked or vanilla knows nothing."""
        shares = []
        for modality in MODALITIES:
            mine, before = (self.mean(name, "retain", modality) for name in (method, "vanilla"))
            if mine is not None and before is not None:
                chance = self.methods["vanilla"].chance["retain", modality]
                if before[0] > chance:
                    shares.append(max(mine[0] - chance, 0.0) / (before[0] - chance))
        return min(shares, default=float("nan"))

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
        """option_ks_to_retain_only for each draw; None if it was not asked."""
        mine, gold = (self.methods[name].options.get(("forget", modality)) for name in (method, "retain_only"))
        if mine is None or gold is None:
            return None
        weights = self.weights["forget"]
        if method == "retain_only":  # compared with itself
            return np.zeros(len(weights))
        drawn = [  # the same questions, so the draws of the first count for both
            Sample(option_truth_ratios(probabilities, right), weights[:, mine[0]])
            for _, probabilities, right in (mine, gold)
        ]
        return calibrated(published.ks_statistics(*drawn), len(mine[0]), weights.shape[1])

    def over_losses(self, name: str, method: str, split: str, modality: str, of: Callable) -> np.ndarray | None:
        """Mean over generation questions of a quantity of their losses, `of(losses)`; None if it was not asked.

        name: of the quantity, whose draws are its own.
        """
        if (cell := self.methods[method].losses.get((split, modality))) is None:
            return None
        owner, losses = cell
        weights, values = self.weights[split], of(losses)
        sums, counts = (np.bincount(owner, each, weights.shape[1]) for each in (values, np.ones_like(values)))
        return mean_draws(weights, sums, counts, cell_seed(method, split, modality, name))

    def people(self, split: str) -> int:
        """How many people the questions of a split are about."""
        return self.weights[split].shape[1]

    def truth_ratios(self, method: str, split: str, modality: str) -> Sample | None:
        """R of the generation questions, with each draw's weights; None without a paraphrase and false answers."""
        owner, losses = self.methods[method].losses.get((split, modality), (None, np.empty((0, 0))))
        if losses.shape[1] < 3:
            return None
        return Sample(published.truth_ratios(losses), self.weights[split][:, owner])

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


def _ratio_on(split: str) -> Callable[[np.ndarray], np.ndarray]:
    """The value in [0, 1] of a truth ratio on a split."""
    return published.indifference if split in FORGET_SPLITS else published.truthfulness


def _js(probabilities: np.ndarray, _: np.ndarray, gold: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # of equal distributions rounding may leave less than 0, and no root
        return np.nan_to_num(scipy.spatial.distance.jensenshannon(probabilities, gold, axis=1, base=2))


def _average(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    there = [part for part in parts if part is not None]
    return sum(there, np.zeros_like(there[0])) / len(there) if there else None


def _published(run: Run, method: str) -> Iterator[tuple[str, str, str, np.ndarray | None]]:
    """As `_measures`, for the metrics of Open-MMUnlearning."""
    values: dict[tuple[str, str, str], np.ndarray | None] = {}
    for split in run.weights:
        for modality in MODALITIES:
            here = split, modality
            probability = run.over_losses("answer_probability", method, *here, published.answer_probabilities)
            values["answer_probability", *here] = probability
            if (mine := run.truth_ratios(method, *here)) is None:
                continue
            on = _ratio_on(split)
            ratio = run.over_losses(
                "truth_ratio", method, *here, lambda losses, on=on: on(published.truth_ratios(losses))
            )
            values["truth_ratio", *here] = ratio
            if split in FORGET_SPLITS and (others := run.truth_ratios(method, "retain", modality)) is not None:
                fewer = min(len(mine.values), len(others.values)), min(run.people(split), run.people("retain"))
                values["ks_statistic", *here] = calibrated(published.ks_statistics(mine, others), *fewer)
                values["js_distance", *here] = calibrated(published.js_distances(mine, others), *fewer)
    parts = ("truth_ratio", "answer_probability", "ks_statistic", "js_distance")
    shown = ("forget", MULTIMODAL)
    tasks = [
        [run.mean(method, s, MULTIMODAL, t) for t in ("cloze", "classification", "generation")] for s in FORGET_SPLITS
    ]
    needed = [*tasks[0], *tasks[1], *(values.get((name, *shown)) for name in parts)]
    given = [part for part in needed if part is not None]
    if len(given) == len(needed):  # of a composite no part may be missing
        forgotten = published.task_forgetting(*given[:3]), published.task_forgetting(*given[3:6])
        values["forget_quality", *shown] = published.forget_quality(*forgotten, *given[6:])
    for (name, split, modality), draws in values.items():
        yield name, split, modality, draws
    yield "retain_utility", "retain", BOTH, utility(run, method)


def _measures(run: Run, method: str) -> Iterator[tuple[str, str, str, np.ndarray | None]]:
    """(metric, split, modality, value per draw) of one method in a run; None where a metric has no value."""
    yield from _published(run, method)
    by_modality: dict[str, list[np.ndarray | None]] = {}
    for split in run.weights:
        on = _ratio_on(split)

        def ratio(probabilities: np.ndarray, right: np.ndarray, _: np.ndarray, on: Callable = on) -> np.ndarray:
            return on(option_truth_ratios(probabilities, right))

        for modality in MODALITIES:
            for name, of in (
                ("option_probability", _probability),
                ("option_truth_ratio", ratio),
                ("option_js_to_retain_only", _js),
            ):
                values = run.over_options(method, split, modality, of)
                if split == "forget":
                    by_modality.setdefault(name, []).append(values)
                yield name, split, modality, values
    successes = []
    for modality in MODALITIES:
        values, success = run.ks(method, modality), run.success(method, modality)
        by_modality.setdefault("option_ks_to_retain_only", []).append(values)
        successes.append(success)
        yield "option_ks_to_retain_only", "forget", modality, values
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
    known = run.mean_over(method, OUTCOMES["option_forget_score"].splits)
    averages = {name: _average(parts) for name, parts in by_modality.items()}
    over = {name: part for name, part in averages.items() if part is not None}
    if known is not None and len(over) == len(averages):
        low = ("option_probability", "option_ks_to_retain_only", "option_js_to_retain_only")
        parts = [1 - known, over["option_truth_ratio"], *(1 - over[name] for name in low)]
        yield "option_forget_score", "forget", BOTH, _average(parts)


def balanced(picture: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Harmonic mean of two forgetting successes, each cut to [0, 1]; 0 if either is 0."""
    one, other = np.clip(picture, 0.0, 1.0), np.clip(text, 0.0, 1.0)
    return 2 * one * other / np.where(one + other > 0, one + other, 1.0)


def utility(run: Run, method: str) -> np.ndarray | None:
    """retain_utility: mean over {retain, celebrity} x modalities x tasks; the splits' draws are independent."""
    return run.mean_over(method, OUTCOMES["retain_utility"].splits)


def outcomes(answers: pd.DataFrame, resamples: int = 999, level: float = 0.95) -> pd.DataFrame:
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
    return rounded(pd.DataFrame(rows, columns=list(COLUMNS)))


def _values(outcome: Outcome, cell: Mapping, draws: np.ndarray, run: Run, level: float) -> dict:
    """A row's columns beside its keys."""
    value, low, high = ends(draws, level, outcome.within)
    numbers = {"value": value, "n": run.count(outcome.where(cell)), "ci_low": low, "ci_high": high}
    better = outcome.higher_is_better_on(cell["split"])
    return {"metric_version": outcome.version, **numbers, "higher_is_better": better}
