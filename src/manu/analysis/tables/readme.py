"""The table that a study puts into the README: accuracy at one forget ratio, and a list of every number in it."""

from collections.abc import Mapping, Sequence
from itertools import product

import pandas as pd

from manu.analysis.cells import markdown_table, row_order
from manu.analysis.origin import Origin, same, select
from manu.analysis.reading import Inputs
from manu.analysis.seeds import over_seeds, plus_minus, several_seeds
from manu.analysis.tables import diverged
from manu.analysis.tables.base import Study, Table, methods_of
from manu.evaluation.vocabulary import FORGET_SPLITS, MODALITIES

WHERE = ("model", "method", "forget_ratio", "split", "modality")
COLUMNS = ("text", "value", "statistic", *WHERE)
SPLITS = ("forget", "retain", "celebrity")
_SCORES = {"task": ("classification",), "metric": ("accuracy",)}


def settings(study: Study) -> dict:
    """The study's name, its methods in their order, and the forget ratio that the table shows."""
    ratios = study.forget_ratios
    return {"study": study.name, "methods": list(methods_of(study)), "ratio": ratios[len(ratios) // 2]}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Every number of the table (COLUMNS)."""
    return numbers(inputs.table("scores"), settings["methods"], settings["ratio"])


def markdown(listed: pd.DataFrame, inputs: Inputs, settings: Mapping) -> str:
    """The table itself."""
    runs = diverged.listed(inputs.table("diverged"), "`")
    return block(listed, settings["ratio"], settings["study"], inputs.table("scores")["seed"].nunique(), runs)


def numbers(scores: pd.DataFrame, methods: Sequence[str], ratio: int) -> pd.DataFrame:
    """Every number of the table (COLUMNS), in its order: means over seeds and, of several seeds, the spread ("sd").

    scores: scores.csv; ratio: the forget ratio to show. text: as printed, in percent; value: a fraction.
    """
    means = over_seeds(select(scores, _SCORES | {"forget_ratio": (ratio,)}))
    statistics = {"mean": "value", "sd": "value_sd"} if several_seeds(means) else {"mean": "value"}
    order = product(sorted(set(means["model"])), row_order(list(methods)), SPLITS, MODALITIES)
    rows = []
    for model, method, split, modality in order:
        where = {"model": model, "method": method, "forget_ratio": ratio, "split": split, "modality": modality}
        cell = select(means, {key: (wanted,) for key, wanted in where.items()})
        for statistic, column in statistics.items() if len(cell) else ():
            value = round(float(cell[column].iloc[0]), 6)
            rows.append({"text": f"{100 * value:.1f}", "value": value, "statistic": statistic} | where)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def block(listed: pd.DataFrame, ratio: int, study: str, seeds: int = 1, diverged: Sequence[str] = ()) -> str:
    """The table in Markdown, from the numbers alone. diverged: a line for each run that diverged and has no numbers."""
    texts = listed.set_index(["statistic", "model", "method", "split", "modality"])["text"].to_dict()
    over = f", mean \N{PLUS-MINUS SIGN} standard deviation over {seeds} seeds" if seeds > 1 else ""
    rows = listed[["model", "method"]].drop_duplicates()
    columns = {"model": list(rows["model"]), "method": [f"`{method}`" for method in rows["method"]]}
    for split in SPLITS:
        cells = []
        for row in rows.itertuples(index=False):
            places = [(row.model, row.method, split, modality) for modality in MODALITIES]
            found = [place for place in places if ("mean", *place) in texts]
            cells.append(" / ".join(plus_minus(texts["mean", *at], texts.get(("sd", *at), "")) for at in found))
        columns[f"{split} {'↓' if split in FORGET_SPLITS else '↑'}"] = cells
    lines = [
        f"Study `{study}`: percent of multiple-choice questions answered right, with the picture / in plain "
        f"text, after {ratio} percent of the people were forgotten (chance: 25){over}. "
        "↓ lower is better, ↑ higher is better.",
        "",
        *markdown_table(columns, ("model", "method")).splitlines(),
    ]
    if diverged:
        lines += ["", f"Diverged, so no model answers: {'; '.join(diverged)}."]
    return "\n".join(lines) + "\n"


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The scores that a listed number is a mean or a spread of."""
    return Origin(("scores",), same(row, *WHERE) | _SCORES, "value")


TABLE = Table(
    title="Numbers of the README",
    caption="Every number of the README's table, as printed and as a fraction.",
    section="readme",
    needs=("scores", "diverged"),
    keys=("statistic", *WHERE),
    folder="",
    settings=settings,
    make=make,
    origin=origin,
    markdown=markdown,
    show=lambda table, page: [],
)
