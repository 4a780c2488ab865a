"""Hyperparameters chosen by trials: what each trial scores on those of the trials, and which one is chosen.

A trial is asked about the tuning people to be forgotten, the others, and public figures. Its parts are, for each
modality, 1 - accuracy on forget and the accuracies on retain and the public figures, over classification and cloze
questions; a criterion makes one number of them, in which what is forgotten weighs as much as all that is kept. Who
answers forget questions worse than by chance has forgotten no more than who guesses, so that below chance counts as
chance.
"""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import hmean

from manu.analysis.cells import DECIMALS
from manu.analysis.origin import Origin, same
from manu.evaluation.vocabulary import MODALITIES

CHOSEN = "yes"
SPLITS = ("forget", "retain", "celebrity")
PARTS = tuple(f"{split}_{modality}" for split in SPLITS for modality in MODALITIES)
COLUMNS = ("model", "method", "trial", "settings", *PARTS, "n", "criterion", "score", "chosen")
_TASKS = ("classification", "cloze")
CRITERIA: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "harmonic_mean": lambda parts, weights: float(hmean(parts, weights=weights)) if min(parts) > 0 else 0.0,
    "least": lambda parts, weights: float(min(parts)),
}


def trial_table(answers: pd.DataFrame, trials: Sequence[Mapping], criterion: str) -> pd.DataFrame:
    """One row per trial of one method on one model (COLUMNS), in the trials' order; one row is chosen.

    answers: scored answers with the column `trial`, counted from 1; trials: the tuned settings of each. score: the
    criterion over 1 - forget accuracy (chance at least) and the other accuracies, of the modalities that were asked; 0 for a
    trial without answers, which diverged. The highest score is chosen; of equal ones that which keeps more, then the
    earlier one.
    """
    asked = answers[answers["task"].isin(_TASKS)]
    chance = guessed(asked[asked["split"] == "forget"])
    rows = []
    for number, settings in enumerate(trials, start=1):
        mine = asked[asked["trial"] == number]
        means = mine.groupby(["split", "modality"])["correct"].mean()
        accuracy = {part: float(means.get(tuple(part.split("_")), np.nan)) for part in PARTS}
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
                "trial": number,
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


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The trial's answers, if it has any."""
    if column not in (*PARTS, "n", "score") or row["n"] == "0":
        return None
    where = same(row, "model", "method", "trial") | {"task": _TASKS}
    if column in PARTS:
        split, modality = column.split("_")
        where |= {"split": (split,), "modality": (modality,)}
    return Origin(("trials",), where, "correct", mean=column in PARTS)
