"""Hyperparameters chosen by trials: what each trial scores on those of the trials, and which one is chosen.

A trial is asked about the forget half of the tuning people, the retain half, and public figures. Its parts are, for
each modality, 1 - accuracy on forget and the accuracies on retain and the public figures, over classification and cloze
questions; a criterion makes one number of them, in which what is forgotten weighs as much as all that is kept. Who
answers forget questions worse than by chance has forgotten no more than who guesses, so that below chance counts as
chance.
"""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import scipy  # its parts are imported when first used

from manu.analysis.cells import DECIMALS
from manu.analysis.grid import Column, Grid, TableOnPage, name, number
from manu.analysis.origin import From, Origin, origins, select
from manu.analysis.page import Block, Fold, Page
from manu.analysis.page_rows import ASKED, DOWN, UP, by_model, first_of_block
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Study, Table
from manu.evaluation.vocabulary import MODALITIES
from manu.unlearning.trials import trials as trials_of

CHOSEN = "yes"
SPLITS = ("forget", "retain", "celebrity")
ASKED_OF_TRIAL = From(
    "trials", ("model", "method", "trial"), "correct", {"task": ("classification", "cloze"), "split": SPLITS}
)
PARTS = {
    f"{split}_{modality}": From(
        "trials",
        ASKED_OF_TRIAL.keys,
        "correct",
        {**ASKED_OF_TRIAL.fixed, "split": (split,), "modality": (modality,)},
        mean=True,
    )
    for split in SPLITS
    for modality in MODALITIES
}
ANSWER_COLUMNS = (*ASKED_OF_TRIAL.keys, "split", "modality", "task", "options", "correct")
COLUMNS = ("model", "method", "trial", "settings", *PARTS, "n", "criterion", "score", "chosen")
CRITERIA: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "harmonic_mean": lambda parts, weights: float(scipy.stats.hmean(parts, weights=weights)) if min(parts) > 0 else 0.0,
    "least": lambda parts, weights: float(min(parts)),
}


def settings(study: Study) -> dict:
    """The criterion, and of every method with open settings what each trial has in their place."""
    chosen = {name: trials_of(study.methods[name], study.tuning.trials) for name in study.tuned_methods()}
    return {"criterion": study.tuning.criterion, "trials": chosen}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Every trial of every method on every model (COLUMNS)."""
    answers = inputs.answers("trials", columns=ANSWER_COLUMNS)
    return pd.concat(
        [
            trial_table(mine, settings["trials"][method], settings["criterion"])
            for (_, method), mine in answers.groupby(["model", "method"], sort=False)
        ],
        ignore_index=True,
    )


def trial_table(answers: pd.DataFrame, trials: Sequence[Mapping], criterion: str) -> pd.DataFrame:
    """One row per trial of one method on one model (COLUMNS), in the trials' order; one row is chosen.

    answers: scored answers with the column `trial`, counted from 1; trials: the tuned settings of each. score: the
    criterion over 1 - forget accuracy (chance at least) and the other accuracies, of the modalities that were asked; 0
    for a trial without answers, which diverged. The highest score is chosen; of equal ones the one that keeps more,
    then the earlier one.
    """
    asked = select(answers, ASKED_OF_TRIAL.fixed)
    chance = guessed(asked[asked["split"] == "forget"])
    rows = []
    for trial, settings in enumerate(trials, start=1):
        mine = asked[asked["trial"] == trial]
        accuracy = {part: float(select(mine, come.fixed)[come.value].mean()) for part, come in PARTS.items()}
        known = [value for value in accuracy.items() if not np.isnan(value[1])]
        is_forget = [part.startswith("forget") for part, _ in known]
        parts = [
            1 - max(value, chance) if forget else value for forget, (_, value) in zip(is_forget, known, strict=True)
        ]
        weights = [1 / is_forget.count(forget) for forget in is_forget]
        keys = {key: answers[key].iloc[0] for key in ("model", "method")}
        score = round(CRITERIA[criterion](parts, weights), DECIMALS) if parts else 0.0
        rows.append(
            {
                **keys,
                "trial": trial,
                "settings": settings_text(settings),
                **accuracy,
                "n": len(mine),
                "criterion": criterion,
                "score": score,
                "chosen": "",
            }
        )
    retained = [np.nansum([row[part] for part in PARTS if not part.startswith("forget")]) for row in rows]
    best = max(range(len(rows)), key=lambda i: (rows[i]["score"], retained[i], -i))
    rows[best]["chosen"] = CHOSEN
    return pd.DataFrame(rows, columns=list(COLUMNS))


def guessed(answers: pd.DataFrame) -> float:
    """The accuracy of guessing: one option of those that a question gives, and nothing where it gives none."""
    counts = [len(json.loads(options)) if options else 0 for options in answers["options"]]
    return float(np.mean([1 / count if count else 0.0 for count in counts]))


def settings_text(settings: Mapping) -> str:
    """Settings in words, such as `learning_rate = 0.0001, epochs = 1`."""
    return ", ".join(
        f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}" for name, value in settings.items()
    )


_ORIGINS = origins({**PARTS, "n": ASKED_OF_TRIAL, "score": ASKED_OF_TRIAL})


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The trial's answers, if it has any."""
    return None if row["n"] == "0" else _ORIGINS(row, column)


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """Model by model."""
    parts = by_model(table).values()
    return [
        Fold(grid.label, [grid], is_open=not place) for place, grid in enumerate(_grid(part, page) for part in parts)
    ]


def _grid(table: TableOnPage, page: Page) -> Grid:
    """One model's trials, a row for each, the chosen one of each method marked."""
    link, keys = page.chains.file(table.path), ASKED_OF_TRIAL.keys
    arrows = {"forget": DOWN, "retain": UP, "celebrity": UP}
    columns = [Column("method", words=True), Column("settings tried", words=True)]
    for part in PARTS:
        split, modality = part.split("_")
        columns.append(Column(ASKED[modality], f"{split}{arrows[split]}", modality))
    columns += [Column(f"score{UP}"), Column("choice", words=True)]
    rows = [
        [
            name(row["method"]),
            name(row["settings"]),
            *(number(table, row, column, keys, link) for column in (*PARTS, "score")),
            name("chosen" if row["chosen"] == CHOSEN else ""),
        ]
        for row in table.rows
    ]
    return Grid(f"{table.rows[0]['model']}: trials", columns, rows, 1, first_of_block(table.rows, "method"))


TABLE = Table(
    title="Tuning",
    caption="How the settings that the methods leave open were chosen: the same number of trials for each "
    "method, from the vanilla model of the first seed, on people and public figures who are in no other "
    "table. Accuracy in percent over classification and cloze questions; the score takes 100 - forget "
    "(below chance counts as chance), retain and celebrity over the modalities, with half of the weight "
    "on forget. The highest score is chosen.",
    section="tuning",
    needs=("trials",),
    keys=("model", "method", "trial", "settings", "criterion", "chosen"),
    settings=settings,
    make=make,
    origin=origin,
    show=show,
)
