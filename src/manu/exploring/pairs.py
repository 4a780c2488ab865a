"""Compare two methods person by person."""

import pandas as pd

from manu.exploring.study import Run


def by_person(one: Run, other: Run, split: str, modality: str, task: str = "classification") -> pd.DataFrame:
    """The accuracy (a fraction) on every person under two methods, the largest difference first.

    Columns: profile_id, questions (their number), one column per method, and difference (first minus second, as in
    paired_tests).
    """
    names = [run.config["method"] for run in (one, other)]
    parts = []
    for name, run in zip(names, (one, other), strict=True):
        rows = run.answers
        rows = rows[(rows["split"] == split) & (rows["modality"] == modality) & (rows["task"] == task)]
        correct = rows.groupby("profile_id")["correct"]
        parts.append(pd.DataFrame({name: correct.mean(), "questions": correct.count()}))
    table = parts[0].join(parts[1].drop(columns="questions"), validate="one_to_one")
    table["difference"] = table[names[0]] - table[names[1]]
    return table.reset_index()[["profile_id", "questions", *names, "difference"]].sort_values(
        ["difference", "profile_id"], ascending=[False, True], ignore_index=True
    )
