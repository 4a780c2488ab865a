"""Samples of questions, and the accuracy of their answers."""

import pandas as pd

SPLITS = ("forget", "retain")
_CELL = ["split", "modality"]


def sample(answers: pd.DataFrame, count: int, seed: int = 0, task: str = "classification") -> list[str]:
    """Ids of at most `count` random questions per modality and split (SPLITS), in the order of the answers."""
    asked = answers[(answers["task"] == task) & answers["split"].isin(SPLITS)]
    drawn = asked.sample(frac=1, random_state=seed).groupby(_CELL).head(count)
    return list(drawn.sort_index()["question_id"])


def accuracy(answers: pd.DataFrame) -> pd.DataFrame:
    """Accuracy (a fraction) and number of answers `n`, by split and modality."""
    cells = answers.groupby(_CELL)["correct"].agg(accuracy="mean", n="count")
    return cells.reset_index()
