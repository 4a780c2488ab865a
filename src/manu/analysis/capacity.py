"""What pruning random neurons costs the vanilla model: the check that the model is not simply too large."""

from collections.abc import Mapping

import pandas as pd

from manu.analysis.origin import Origin, same

RUN = ("model", "seed", "forget_ratio")
CELL = ("split", "modality", "task")
COLUMNS = (*RUN, "prune_ratio", "method", *CELL, "accuracy", "n", "cost")


def capacity_table(vanilla: pd.DataFrame, pruned: pd.DataFrame, prune_ratios: Mapping[str, int]) -> pd.DataFrame:
    """Accuracy by model, seed, prune ratio, split, modality and task (COLUMNS); prune ratio 0 is vanilla.

    vanilla, pruned: scored answers, without and under random masks; prune_ratios: method of the pruned
    answers -> percent. Vanilla's answers count at the forget ratios that the pruned ones have.
    accuracy: a fraction; cost: vanilla's accuracy minus this one.
    """
    whole = vanilla[vanilla["forget_ratio"].isin(set(pruned["forget_ratio"]))]
    answers = pd.concat([whole, pruned], ignore_index=True).dropna(subset="correct")
    cells = answers.groupby([*RUN, "method", *CELL], sort=False)["correct"]
    table = cells.agg(accuracy="mean", n="count").reset_index()
    table["prune_ratio"] = table["method"].map({"vanilla": 0, **prune_ratios})
    table = table.sort_values([*RUN, "prune_ratio"], kind="stable", ignore_index=True)
    keys = [*RUN, *CELL]
    vanillas = table[table["method"] == "vanilla"].set_index(keys)["accuracy"]
    table["cost"] = vanillas.loc[pd.MultiIndex.from_frame(table[keys])].to_numpy() - table["accuracy"]
    return table[list(COLUMNS)]


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """accuracy and n come from the cell's answers; the cost from those and vanilla's."""
    if column not in ("accuracy", "n", "cost"):
        return None
    where = same(row, *RUN, "method", *CELL)
    if column == "cost":
        where["method"] = ("vanilla", row["method"])
    return Origin(("vanilla", "pruned"), where, "correct", mean=column == "accuracy")
