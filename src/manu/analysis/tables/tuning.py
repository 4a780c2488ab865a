"""Hyperparameters chosen by trials: what each trial scores on those of the trials, and which one is chosen.

A trial is asked about the forget half of the tuning people, the retain half, and public figures: classification and
cloze questions in each modality. Every accuracy counts above chance, (accuracy - chance) / (1 - chance), cut to [0, 1],
so that a model that only guesses has forgotten everything and kept nothing. The parts of a score are 1 less that of
forget and those of retain and the public figures; a criterion makes one number of them, in which what is forgotten
weighs as much as all that is kept.

A choice between settings that differ by no more than noise goes to the one that keeps more, so that it does not hang
on rounding: scores count as equal if they differ by no more than one standard error of their difference over people
(the one-standard-error rule; Breiman et al. 1984, section 3.4.3).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from manu.analysis.cells import DECIMALS, rounded
from manu.analysis.chance import above_chance, guessed
from manu.analysis.grid import Column, Grid, TableOnPage, name, number
from manu.analysis.intervals import cell_seed
from manu.analysis.origin import From, Origin, Where, origins, select
from manu.analysis.page import Block, Fold, Page, Prose
from manu.analysis.page_rows import ASKED, DOWN, UP, by_model, first_of_block
from manu.analysis.reading import Inputs
from manu.analysis.resampling import draw_weights
from manu.analysis.tables.base import Study, Table
from manu.core.errors import UserError
from manu.evaluation.vocabulary import MODALITIES
from manu.unlearning.trials import trials as trials_of

YES = "yes"
FORGET, KEEP = ("forget",), ("retain", "celebrity")
SPLITS = (*FORGET, *KEEP)
DRAWS = 999  # of people
_ZERO = 1e-300  # in place of 0, which nothing can be divided by
NOISE = 2  # standard errors that a setting must forget to forget anything
ASKED_OF_TRIAL = From(
    "trials", ("model", "method", "trial"), "correct", {"task": ("classification", "cloze"), "split": SPLITS}
)


def _asked(mean: bool = False, **fixed: tuple) -> From:
    return From("trials", ASKED_OF_TRIAL.keys, "correct", {**ASKED_OF_TRIAL.fixed, **fixed}, mean)


PARTS = {
    f"{split}_{modality}": _asked(split=(split,), modality=(modality,), mean=True)
    for split in SPLITS
    for modality in MODALITIES
}
ANSWER_COLUMNS = (
    "model",
    "method",
    "seed",
    "forget_ratio",
    "split",
    "modality",
    "task",
    "profile_id",
    "options",
    "correct",
)
COLUMNS = (
    "model",
    "method",
    "trial",
    "settings",
    *PARTS,
    "n",
    "forgotten",
    "kept",
    "works",
    "criterion",
    "score",
    "near_best",
    "chosen",
)
NUMBERS = ("forgotten", "kept", "score")  # on the page, beside the parts
# parts and their weights, [parts, ...] -> scores [...]
CRITERIA: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "harmonic_mean": lambda parts, weights: weights.sum() / (weights / np.maximum(parts, _ZERO)).sum(axis=0),
    "least": lambda parts, weights: parts.min(axis=0),
}


def settings(study: Study) -> dict:
    """How a choice is made, and of every method with open settings what each trial has in their place."""
    chosen = {name: trials_of(study.methods[name], study.tuning.trials) for name in study.tuned_methods()}
    return study.tuning.model_dump(include={"criterion", "keeps"}) | {"trials": chosen}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Every trial of every method on every model (COLUMNS)."""
    answers = inputs.answers("trials", columns=(*ANSWER_COLUMNS, "trial"))
    vanilla = inputs.answers("vanilla", columns=ANSWER_COLUMNS)
    return pd.concat(
        [
            trial_table(
                mine,
                settings["trials"][method],
                settings["criterion"],
                select(vanilla, {"model": (model,), "seed": tuple(mine["seed"])}),
                settings["keeps"],
            )
            for (model, method), mine in answers.groupby(["model", "method"], sort=False)
        ],
        ignore_index=True,
    )


def trial_table(
    answers: pd.DataFrame, trials: Sequence[Mapping], criterion: str, vanilla: pd.DataFrame, keeps: float
) -> pd.DataFrame:
    """One row per trial of one method on one model (COLUMNS), in the trials' order; one row is chosen.

    answers: scored answers with the column `trial`, counted from 1; trials: the tuned settings of each; vanilla: the
    answers of the model that every trial starts from, at the study's own ratios. forgotten, kept: means of the parts;
    score: the criterion over them, of the modalities that were asked. A trial that diverged scores 0.

    works: has forgotten more than vanilla does not know, by NOISE standard errors, and keeps at least the share `keeps`
    of what vanilla knows. near_best: works, and is no more than one standard error behind the best that does. Of those
    the one that keeps most is chosen. Where none works it is the one that keeps most of those that forget anything;
    where none does, the highest score. Of equal ones it is the first. Raises UserError without any answer.
    """
    asked, count = select(answers, ASKED_OF_TRIAL.fixed), len(trials)
    parts = [part for part, come in PARTS.items() if len(select(asked, come.fixed))]
    if not parts:
        raise UserError("the trials hold no classification or cloze answers, from which settings are chosen")
    known = np.stack([_known(select(asked, PARTS[part].fixed), count) for part in parts])  # [parts, draws, trials]
    knew = np.array([_known_by_vanilla(vanilla, PARTS[part].fixed) for part in parts])
    is_forget = np.array([PARTS[part].fixed["split"] == FORGET for part in parts])
    forgotten, kept = _mean(1 - known[is_forget]), _mean(known[~is_forget])
    weights = np.where(is_forget, 1 / max(is_forget.sum(), 1), 1 / max((~is_forget).sum(), 1))
    scores = CRITERIA[criterion](np.where(is_forget[:, None, None], 1 - known, known), weights[:, None, None])

    acts = forgotten[0] - _mean(1 - knew[is_forget]) > NOISE * forgotten[1:].std(axis=0)
    works = acts & (kept[0] >= keeps * _mean(knew[~is_forget]))
    score = np.where(np.isfinite(scores[0]), scores[0], 0.0)
    near_best = np.full(count, False)
    if works.any():
        best = _highest(score, works)
        behind = scores[:, best : best + 1] - scores  # on the same draws of people
        near_best = works & (behind[0] <= behind[1:].std(axis=0))
    if near_best.any() or acts.any():
        chosen = _highest(kept[0], near_best if near_best.any() else acts)
    else:
        chosen = _highest(score, np.full(count, True))
    rows = []
    for place, settings in enumerate(trials):
        mine = asked[asked["trial"] == place + 1]
        rows.append(
            {key: answers[key].iloc[0] for key in ("model", "method")}
            | {"trial": place + 1, "settings": settings_text(settings)}
            | {part: float(select(mine, come.fixed)[come.value].mean()) for part, come in PARTS.items()}
            | {"n": len(mine), "forgotten": forgotten[0, place], "kept": kept[0, place]}
            | {"works": YES if works[place] else "no", "criterion": criterion, "score": score[place]}
            | {"near_best": YES if near_best[place] else "no", "chosen": YES if place == chosen else ""}
        )
    return rounded(pd.DataFrame(rows, columns=list(COLUMNS)), ("forgotten", "kept", "score"))


def _known(answers: pd.DataFrame, trials: int) -> np.ndarray:
    """Accuracy above chance of every trial: [draws, trials], the first draw everybody once; NaN without answers."""
    people = sorted(set(answers["profile_id"]))
    cells = answers.groupby(["trial", "profile_id"])["correct"].agg(["sum", "count"]).unstack()
    cells = cells.reindex(index=range(1, trials + 1))
    weights = draw_weights(len(people), DRAWS, cell_seed(*people))
    right, asked = (weights @ cells[part][people].to_numpy(np.float64).T for part in ("sum", "count"))
    return above_chance(right / asked, guessed(answers["options"]))


def _known_by_vanilla(answers: pd.DataFrame, cell: Where) -> float:
    """Accuracy above chance in one cell at the largest forget ratio; 1 where it was not asked."""
    mine = select(answers[answers["forget_ratio"] == answers["forget_ratio"].max()], cell)
    return float(above_chance(mine["correct"].mean(), guessed(mine["options"]))) if len(mine) else 1.0


def _mean(parts: np.ndarray) -> np.ndarray:
    """The mean over the first axis; 0 where it has no element."""
    return parts.sum(axis=0) / max(len(parts), 1)


def _highest(values: np.ndarray, among: np.ndarray) -> int:
    """The place of the highest value among some, rounded as tables show it; of equal ones the first."""
    return max(np.flatnonzero(among).tolist(), key=lambda place: (round(float(values[place]), DECIMALS), -place))


def settings_text(settings: Mapping) -> str:
    """Settings in words, such as `learning_rate = 0.0001, epochs = 1`."""
    return ", ".join(
        f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}" for name, value in settings.items()
    )


_ORIGINS = origins(
    {
        **PARTS,
        "n": ASKED_OF_TRIAL,
        "forgotten": _asked(split=FORGET),
        "kept": _asked(split=KEEP),
        "score": ASKED_OF_TRIAL,
    }
)


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The trial's answers, if it has any."""
    return None if row["n"] == "0" else _ORIGINS(row, column)


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """Model by model."""
    parts = by_model(table).values()
    return [
        Fold(f"{part.rows[0]['model']}: trials", [*_none_works(part), _grid(part, page)], is_open=not place)
        for place, part in enumerate(parts)
    ]


def _none_works(table: TableOnPage) -> list[Block]:
    """The methods of which no setting forgets and keeps."""
    methods = dict.fromkeys(row["method"] for row in table.rows)
    none = [each for each in methods if YES not in {row["works"] for row in table.rows if row["method"] == each}]
    about = f"No setting of {', '.join(none)} forgets and keeps; the one that keeps most of those that forget is taken."
    return [Prose(about)] if none else []


def _grid(table: TableOnPage, page: Page) -> Grid:
    """One model's trials, a row for each, the chosen one of each method marked."""
    link, keys = page.chains.file(table.path), ASKED_OF_TRIAL.keys
    arrows = {"forget": DOWN, "retain": UP, "celebrity": UP}
    columns = [Column("method", words=True), Column("settings tried", words=True)]
    for part in PARTS:
        split, modality = part.split("_")
        columns.append(Column(ASKED[modality], f"{split}{arrows[split]}", modality))
    columns += [Column(f"{head}{UP}") for head in NUMBERS]
    columns += [Column("works", words=True), Column("choice", words=True)]
    rows = [
        [
            name(row["method"]),
            name(row["settings"]),
            *(number(table, row, column, keys, link) for column in (*PARTS, *NUMBERS)),
            name(row["works"]),
            name("chosen" if row["chosen"] == YES else ""),
        ]
        for row in table.rows
    ]
    return Grid(f"{table.rows[0]['model']}: trials", columns, rows, 1, first_of_block(table.rows, "method"))


TABLE = Table(
    title="Tuning",
    caption="How the settings that the methods leave open were chosen: the same number of trials for each "
    "method, from the vanilla model of the first seed, on people and public figures who are in no other "
    "table. Accuracy in percent over classification and cloze questions. Forgotten, kept and score count accuracy "
    "above chance, in percent of what there is above it; half of the weight of the score is on forget. A setting "
    "works if it forgets more than noise and keeps the study's share of what vanilla knows. The highest score of those "
    "that work is chosen, or, of those within one standard error of it, the one that keeps most.",
    section="tuning",
    needs=("trials", "vanilla"),
    keys=("model", "method", "trial", "settings", "works", "criterion", "near_best", "chosen"),
    settings=settings,
    make=make,
    origin=origin,
    show=show,
)
