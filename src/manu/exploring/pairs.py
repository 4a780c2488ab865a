"""Two methods on the same people: who was forgotten by which."""

import pandas as pd

from manu.exploring.study import Run


def by_person(one: Run, other: Run, split: str, modality: str, task: str = "classification") -> pd.DataFrame:
    """Each person's accuracy, a fraction, under both methods, and their difference, the largest loss first.

    Columns: profile_id, questions, one per method, difference (the second less the first).
    """
    names = [run.config["method"] for run in (one, other)]
    parts = []
    for name, run in zip(names, (one, other), strict=True):
        rows = run.answers
        rows = rows[(rows["split"] == split) & (rows["modality"] == modality) & (rows["task"] == task)]
        parts.append(rows.groupby("profile_id")["correct"].agg(**{name: "mean", "questions": "count"}))
    table = parts[0].join(parts[1].drop(columns="questions"), validate="one_to_one")
    table["difference"] = table[names[1]] - table[names[0]]
    return table.reset_index()[["profile_id", "questions", *names, "difference"]].sort_values(
        ["difference", "profile_id"], ignore_index=True
    )
