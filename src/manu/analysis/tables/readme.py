"""The part of the README that a study fills: one table, the ranges over the whole study, and every number listed.

Each number is a minimum, a maximum or a mean over cells of the scores or of the capacity tables; its row in the
list says over which.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import pandas as pd

from manu.analysis.cells import markdown_table, row_order
from manu.analysis.origin import Origin, select, typed
from manu.analysis.reading import Inputs
from manu.analysis.seeds import over_seeds, plus_minus, several_seeds
from manu.analysis.tables import diverged
from manu.analysis.tables.base import Study, Table, methods_of
from manu.analysis.tables.main import PEOPLE_SPLITS
from manu.evaluation.vocabulary import FORGET_SPLITS, MODALITIES
from manu.unlearning.choice import with_choices

WHERE = ("model", "method", "forget_ratio", "split", "modality", "prune_ratio")
COLUMNS = ("place", "text", "value", "statistic", "source", *WHERE)
_KINDS = {
    "training": "Trained baselines",
    "prompting": "Prompting",
    "pruning": "Pruning",
}
_SCORES = {"task": ("classification",), "metric": ("accuracy",)}
# how the listed number is taken over its cells; "sd" is of a single cell, whose spread over seeds it is
_STATISTICS = {"mean": pd.Series.mean, "sd": pd.Series.mean, "lowest": pd.Series.min, "highest": pd.Series.max}
_SPLITS = (*PEOPLE_SPLITS, "general")


def settings(study: Study) -> dict:
    """The study's name, its methods with kind and prune ratio, and the forget ratio that the table shows."""
    ratios = study.forget_ratios
    return {"study": study.name, "methods": methods_of(study), "ratio": ratios[len(ratios) // 2]}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Every number of the block (COLUMNS)."""
    capacity = inputs.table("capacity")
    return numbers(inputs.table("scores"), capacity, settings["methods"], settings["ratio"])


def markdown(listed: pd.DataFrame, inputs: Inputs, settings: Mapping) -> str:
    """The block itself."""
    scores, methods = inputs.table("scores"), settings["methods"]
    pruned = {model: with_choices(methods, inputs.paths("choices"), model) for model in sorted(set(scores["model"]))}
    runs = diverged.listed(inputs.table("diverged"), "`")
    return block(listed, methods, pruned, settings["ratio"], settings["study"], scores["seed"].nunique(), runs)


def numbers(scores: pd.DataFrame, capacity: pd.DataFrame, methods: Mapping[str, Mapping], ratio: int) -> pd.DataFrame:
    """Every number of the block (COLUMNS), in its order.

    scores: scores.csv; capacity: the capacity tables of all models, may be empty; methods: name -> kind and,
    for pruning, prune_ratio; ratio: the forget ratio that the table shows.
    place: where in the block; text: as printed; value: a fraction; source: "scores" or "capacity"; the WHERE
    columns hold the values a row may have, joined by ";", empty for any.
    """
    means = over_seeds(select(scores, _SCORES))
    rows: list[dict] = []

    def add(place: str, statistic: str, frame: pd.DataFrame, column: str, source: str, **where) -> None:
        values = {key: value if isinstance(value, tuple) else (value,) for key, value in where.items()}
        chosen = select(frame, values)
        if chosen.empty:
            return
        value = round(float(_STATISTICS[statistic](chosen[column])), 6)
        shown = {key: ";".join(map(str, listed)) for key, listed in values.items()}
        text = f"{100 * value:.1f}"
        rows.append({"place": place, "text": text, "value": value, "statistic": statistic, "source": source} | shown)

    models = sorted(set(means["model"]))
    for model, method, split, modality in product(models, row_order(list(methods)), _SPLITS, MODALITIES):
        place = f"table {model} {method} {split} {modality}"
        keys = {"model": model, "method": method, "forget_ratio": ratio, "split": split, "modality": modality}
        add(place, "mean", means, "value", "scores", **keys)
        if several_seeds(means):
            add(f"{place} sd", "sd", means, "value_sd", "scores", **keys)
    for kind, split, modality, end in product(_KINDS, ("forget", "retain"), MODALITIES, ("lowest", "highest")):
        names = tuple(name for name in methods if methods[name]["kind"] == kind)
        keys = {"method": names, "split": split, "modality": modality}
        add(f"{kind} {split} {modality} {end}", end, means, "value", "scores", **keys)
    shares = sorted(set(capacity["prune_ratio"]) - {0}) if len(capacity) else []
    for model, share in product(models, shares):
        place = f"random {model} {share} percent"
        add(place, "highest", capacity, "cost", "capacity", model=model, prune_ratio=share)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def block(
    listed: pd.DataFrame,
    methods: Mapping[str, Mapping],
    pruned: Mapping[str, Mapping],
    ratio: int,
    study: str,
    seeds: int = 1,
    diverged: Sequence[str] = (),
) -> str:
    """The block in Markdown, from the numbers alone.

    pruned: model -> method -> settings, for the prune ratios, which may have been chosen for each model; seeds: how
    many the numbers are means over; diverged: a line for each run that did, and has no numbers.
    """
    text = dict(zip(listed["place"], listed["text"], strict=True))
    table = listed[listed["place"].str.startswith("table ")]
    heads = [f"{split} {'↓' if split in FORGET_SPLITS else '↑'}" for split in _SPLITS]
    over = f", mean \N{PLUS-MINUS SIGN} standard deviation over {seeds} seeds" if seeds > 1 else ""
    lines = [
        f"Study `{study}`: classification accuracy in percent with {ratio} percent of the people to be forgotten, "
        f"asked with the picture / in plain text (chance: 25){over}. ↓ lower is better: the people to be forgotten; "
        "↑ higher is better: what should stay.",
        "",
    ]
    rows = table[["model", "method"]].drop_duplicates()
    columns = {"model": list(rows["model"]), "method": [f"`{method}`" for method in rows["method"]]}
    for split, head in zip(_SPLITS, heads, strict=True):
        columns[head] = []
        for model, method in rows.itertuples(index=False):
            places = [f"table {model} {method} {split} {modality}" for modality in MODALITIES]
            cells = [plus_minus(text[at], text.get(f"{at} sd", "")) for at in places if at in text]
            columns[head].append(" / ".join(cells))
    lines += markdown_table(columns, ("model", "method")).splitlines()
    of = " mean over seeds" if seeds > 1 else ""
    lines += ["", f"Over all models and forget ratios of the study, in percent, lowest to highest{of}:", ""]
    for kind, title in _KINDS.items():
        names = [name for name in methods if methods[name]["kind"] == kind]
        if not names:
            continue

        def span(split: str, modality: str, kind: str = kind) -> str:
            ends = [text.get(f"{kind} {split} {modality} {end}", "–") for end in ("lowest", "highest")]
            return ends[0] if ends[0] == ends[1] else " to ".join(ends)

        shown = ", ".join(f"`{name}`" + (_pruned(name, pruned) if kind == "pruning" else "") for name in names)
        sides = "; ".join(
            f"{split}: {span(split, 'multimodal')} with the picture, {span(split, 'text')} by name"
            for split in ("forget", "retain")
        )
        lines.append(f"* {title}, {shown}: {sides}.")
    random = listed[listed["place"].str.startswith("random ")]
    if len(random):
        costs = "; ".join(
            f"{model}: " + ", ".join(f"{row.text} at {row.prune_ratio} %" for row in part.itertuples())
            for model, part in random.groupby("model", sort=False)
        )
        lines.append(f"* Random neurons pruned from the vanilla model, points lost in the worst cell: {costs}.")
    if diverged:
        lines.append(f"* Diverged, so that there is no model to ask: {'; '.join(diverged)}.")
    return "\n".join(lines) + "\n"


def _pruned(method: str, settings: Mapping[str, Mapping]) -> str:
    """How much a method prunes, in words; model by model where that differs."""
    ratios = {model: methods[method]["prune_ratio"] for model, methods in settings.items()}
    if len(set(ratios.values())) == 1:
        return f" ({next(iter(ratios.values())):g} % pruned)"
    return " (" + ", ".join(f"{ratio:g} % pruned of {model}" for model, ratio in ratios.items()) + ")"


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The cells that a listed number is taken over."""
    if column not in ("text", "value"):
        return None
    where = {key: tuple(typed(key, value) for value in row[key].split(";")) for key in WHERE if row[key]}
    if row["source"] == "capacity":
        return Origin(("capacity",), where, "cost")
    return Origin(("scores",), where | _SCORES, "value")


TABLE = Table(
    title="Numbers of the README",
    caption="Every number of the README's block: a minimum, maximum or mean over cells of the scores or of the "
    "capacity tables.",
    section="readme",
    needs=("scores", "diverged"),
    optional=("capacity", "choices"),
    keys=("place", "statistic", "source", *WHERE),
    folder="",
    settings=settings,
    make=make,
    origin=origin,
    markdown=markdown,
    show=lambda table, page: [],
)
