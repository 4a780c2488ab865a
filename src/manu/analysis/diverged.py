"""The runs that diverged: their training came to a loss that is no number, and there is no model to ask."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from manu.core.diverged import KEYS, unanswered

COLUMNS = (*KEYS, "why")


def diverged_table(answers: Iterable[Path]) -> pd.DataFrame:
    """COLUMNS, one row per run whose file of answers holds none; why: the step, and its loss."""
    table = pd.DataFrame([run for path in answers for run in unanswered(path)], columns=list(COLUMNS))
    return table.sort_values(["model", "forget_ratio", "seed", "method"], kind="stable", ignore_index=True)


def read_diverged(path: Path) -> pd.DataFrame:
    """The table from its CSV."""
    return pd.read_csv(path, dtype={"study": str})


def listed(diverged: pd.DataFrame, marks: str = "") -> list[str]:
    """One line each: `kl on llava, forget 10 %, seed 0 (step 3: the loss is nan)`; names between `marks`."""
    return [
        f"{marks}{row.method}{marks} on {row.model}, forget {row.forget_ratio} %, seed {row.seed} ({row.why})"
        for row in diverged.itertuples()
    ]
