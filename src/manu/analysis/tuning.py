"""Hyperparameters chosen by trials: what each trial scores on the tuning people, and which one is chosen.

A trial is asked about the tuning people to be forgotten and the others. Its parts are, for each modality, 1 - accuracy
on forget and accuracy on retain, over classification and cloze questions; a criterion makes one number of them.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import hmean

from manu.analysis.cells import DECIMALS
from manu.analysis.origin import Origin, same
from manu.evaluation.vocabulary import MODALITIES

CHOSEN = "yes"
PARTS = tuple(f"{split}_{modality}" for split in ("forget", "retain") for modality in MODALITIES)
COLUMNS = ("model", "method", "trial", "settings", *PARTS, "n", "criterion", "score", "chosen")
_TASKS = ("classification", "cloze")
CRITERIA: Mapping[str, Callable[[Sequence[float]], float]] = {
    "harmonic_mean": lambda parts: float(hmean(parts)) if min(parts) > 0 else 0.0,
    "least": lambda parts: float(min(parts)),
}


def trial_table(answers: pd.DataFrame, trials: Sequence[Mapping], criterion: str) -> pd.DataFrame:
    """One row per trial of one method on one model (COLUMNS), in the trials' order; one row is chosen.

    answers: scored answers with the column `trial`, counted from 1; trials: the tuned settings of each. score: the
    criterion over 1 - forget and retain accuracies of the modalities that were asked. The highest score is chosen; of
    equal ones that with the higher accuracy on retain, then the earlier one.
    """
    asked = answers[answers["task"].isin(_TASKS)]
    rows = []
    for number, settings in enumerate(trials, start=1):
        mine = asked[asked["trial"] == number]
        means = mine.groupby(["split", "modality"])["correct"].mean()
        accuracy = {part: float(means.get(tuple(part.split("_")), np.nan)) for part in PARTS}
        known = [value for value in accuracy.items() if not np.isnan(value[1])]
        parts = [1 - value if part.startswith("forget") else value for part, value in known]
        keys = {key: answers[key].iloc[0] for key in ("model", "method")}
        score = round(CRITERIA[criterion](parts), DECIMALS)
        rows.append(
            {**keys, "trial": number, "settings": settings_text(settings), **accuracy, "n": len(mine),
             "criterion": criterion, "score": score, "chosen": ""}
        )  # fmt: skip
    retained = [np.nansum([row[part] for part in PARTS if part.startswith("retain")]) for row in rows]
    best = max(range(len(rows)), key=lambda i: (rows[i]["score"], retained[i], -i))
    rows[best]["chosen"] = CHOSEN
    return pd.DataFrame(rows, columns=list(COLUMNS))


def settings_text(settings: Mapping) -> str:
    """Settings in words, such as `learning_rate = 0.0001, epochs = 1`."""
    return ", ".join(f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}" for name, value in settings.items())


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The trial's answers."""
    if column not in (*PARTS, "n", "score"):
        return None
    where = same(row, "model", "method", "trial") | {"task": _TASKS}
    if column in PARTS:
        split, modality = column.split("_")
        where |= {"split": (split,), "modality": (modality,)}
    return Origin(("trials",), where, "correct", mean=column in PARTS)
