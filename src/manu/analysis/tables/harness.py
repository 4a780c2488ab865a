"""General utility by lm-evaluation-harness: every method beside the vanilla model, task by task."""

from collections.abc import Iterable, Mapping

import pandas as pd

from manu.analysis.cells import escape, markdown_table, percent_text, rounded, row_order, sort_rows
from manu.analysis.origin import Origin, same
from manu.analysis.reading import Inputs
from manu.analysis.seeds import over_seeds
from manu.analysis.tables.base import Study, Table
from manu.core.errors import UserError

CELL = ("model", "forget_ratio", "method", "task", "metric")
TOLD = ("metric_version", "higher_is_better", "harness")
NUMBERS = ("value", "value_sd", "stderr", "n", "vanilla", "difference")
COLUMNS = (*CELL, *TOLD, "seeds", *NUMBERS)


def settings(study: Study) -> dict:
    """The methods in the study's order, and the tasks that it names."""
    return {"methods": list(study.methods), "tasks": list(study.harness.tasks)}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Every method beside vanilla (COLUMNS)."""
    return harness_table(inputs.table("harness_scores"), settings["methods"])


def harness_table(scores: pd.DataFrame, methods: Iterable[str]) -> pd.DataFrame:
    """COLUMNS, one row per model, forget ratio, method, task or group of tasks, and metric, in that order.

    scores: rows of the stage evaluate_harness; methods: the study's, in its order. value: mean over seeds; value_sd:
    its standard deviation over them, NaN of one; stderr: mean of the seeds' standard errors over questions, which are
    the same for every seed; n: questions of all seeds together; vanilla: its value there; difference: what it took to
    get from there to value. Raises UserError where vanilla was not asked.
    """
    means = over_seeds(scores.drop(columns="stderr"), keys=[*CELL, *TOLD])
    stderr = scores.groupby(list(CELL), sort=False, as_index=False)["stderr"].mean()
    table = means.merge(stderr, on=list(CELL), how="left")
    cell = [key for key in CELL if key != "method"]
    vanilla = table[table["method"] == "vanilla"].set_index(cell)["value"].rename("vanilla")
    table = table.join(vanilla, on=cell)
    unasked = table[table["vanilla"].isna() & table["value"].notna()]
    if len(unasked):
        first = ", ".join(f"{key} {unasked.iloc[0][key]}" for key in cell)
        raise UserError(f"the harness's scores have no vanilla model at {first}; nothing to compare with")
    table["difference"] = table["value"] - table["vanilla"]
    order = row_order(list(methods))
    if other := [name for name in table["method"] if name not in order]:
        raise UserError(f"the harness's scores have a method '{other[0]}' of another study")
    table = sort_rows(table, ["model", "forget_ratio", "method"], {"method": order})
    return rounded(table, (name for name in NUMBERS if name != "n"))[list(COLUMNS)]


def markdown(table: pd.DataFrame, inputs: Inputs, settings: Mapping) -> str:
    """The tasks that the study names, for reading: percent with the standard error, and the difference in points."""
    named = table[table["task"].isin(settings["tasks"])]
    arrow = {True: " ↑", False: " ↓"}
    parts = []
    for model, rows in named.groupby("model"):
        columns = {
            "forget ratio %": rows["forget_ratio"].map(str),
            "method": rows["method"].map(escape),
            "task": rows["task"].map(escape),
            "metric": rows["metric"].map(escape) + rows["higher_is_better"].map(arrow).fillna(""),
            "value": rows["value"].map(percent_text),
            "standard error": rows["stderr"].map(percent_text),
            "over seeds": [percent_text(value, "") for value in rows["value_sd"]],
            "beside vanilla": [percent_text(value, sign="+") for value in rows["difference"]],
        }
        parts.append(f"## {escape(model)}\n\n{markdown_table(columns, ('method', 'task'))}")
    harness = ", ".join(sorted(set(table["harness"])))
    caption = (
        f"Tasks of {escape(harness)}. Values in percent, mean over seeds, with the standard error over questions "
        "and, of several seeds, the standard deviation over them; the last column is the difference to the vanilla "
        "model in points. The task says how a reply is read: MMMU's scoring guesses where it finds no letter, so a "
        "silent model scores at chance. Prompting is left out: it does not change the model."
    )
    return "\n\n".join(["# General utility", caption, *parts]) + "\n"


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The harness's own scores of the cell, one of each seed; vanilla's as well where it is compared with."""
    where = same(row, *CELL)
    if column in ("vanilla", "difference"):
        where["method"] = tuple(dict.fromkeys(("vanilla", *([row["method"]] if column == "difference" else []))))
    return Origin(("harness_scores",), where, column if column in ("stderr", "n") else "value")


TABLE = Table(
    title="General utility",
    caption="General utility by lm-evaluation-harness: every task's score of every method, beside the vanilla model's.",
    section="utility",
    needs=("harness_scores",),
    keys=(*CELL, *TOLD, "seeds"),
    settings=settings,
    make=make,
    origin=origin,
    markdown=markdown,
)
