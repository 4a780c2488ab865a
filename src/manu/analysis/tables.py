"""The paper's main table per model, and its short form for the terminal.

Both have one row per forget ratio and method: vanilla, retain_only, then the study's methods in the
study's order; a value is the mean over seeds, and has its standard deviation beside it where there are several.
"""

from collections.abc import Iterable, Mapping
from itertools import product

import pandas as pd

from manu.analysis import cells
from manu.analysis.cells import DECIMALS
from manu.analysis.origin import Origin, same
from manu.analysis.seeds import over_seeds, plus_minus, several_seeds
from manu.core.errors import UserError
from manu.evaluation.vocabulary import FORGET_SPLITS, MODALITIES, REFERENCES

PEOPLE_SPLITS = ("forget", "test", "retain", "celebrity")
# column name -> (task, metric, heading)
MEASURES = {
    "classification": ("classification", "accuracy", "classification"),
    "rougeL": ("generation", "rougeL", "ROUGE-L"),
    "cloze": ("cloze", "accuracy", "cloze"),
}
ROW_COLUMNS = ("model", "forget_ratio", "method", "prune_ratio", "classification_protocol", "seeds")
DIVERGED = "diverged"  # follows where there are such runs
GENERAL = "general_classification"
VALUE_COLUMNS = (
    *(
        f"{split}_{measure}{suffix}"
        for split, measure in product(PEOPLE_SPLITS, MEASURES)
        for suffix in (*(f"_{modality}" for modality in MODALITIES), "")
    ),
    GENERAL,
)
SPREAD_COLUMNS = tuple(f"{column}_sd" for column in VALUE_COLUMNS)  # follow where there are several seeds
_BOTH = ""  # modality of the mean over those that were asked
_PROTOCOLS = {
    "likelihood": "the option to which the model gives the highest likelihood where its own answer reaches the value",
    "letter": "the letter that the model replies with",
}


def row_order(methods: list[str]) -> list[str]:
    """Names for the rows: the reference models, then the methods as the study lists them."""
    return [*REFERENCES, *(method for method in methods if method not in REFERENCES)]


def main_table(
    scores: pd.DataFrame,
    model: str,
    methods: Mapping[str, Mapping | None],
    classification: str,
    diverged: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The main table of one model: ROW_COLUMNS and VALUE_COLUMNS, one row per forget ratio and method.

    Of several seeds SPREAD_COLUMNS follow: the standard deviation over seeds of each value. Where some run diverged,
    the column DIVERGED says how many of its row did, which count nowhere else.

    scores: rows of scores.csv. methods: the study's methods and their settings, in order; a setting
    `prune_ratio` (percent) marks the pruning methods and stands in its column, empty elsewhere.
    classification: the study's protocol. Values are fractions; `<split>_<measure>` is the mean over the
    modalities that were asked (the paper's table does not tell them apart); what was not asked is NaN.
    diverged: the runs that have no scores since their training diverged (manu.analysis.diverged).
    Raises UserError on an unknown model, a method that the study does not list, or a missing row.
    """
    chosen = _chosen(scores, model)
    order = row_order(list(methods))
    unknown = [method for method in dict.fromkeys(chosen["method"]) if method not in order]
    if unknown:
        raise UserError(f"scores of {model}: unknown method '{unknown[0]}'; the study lists: {', '.join(order)}")

    keys = ["forget_ratio", "method", "split", "task", "metric"]
    both = chosen.groupby([*keys, "seed"], sort=False, as_index=False)["value"].mean().assign(modality=_BOTH)
    means = over_seeds(pd.concat([chosen[both.columns], both])).set_index([*keys, "modality"])
    values, spread = means["value"].to_dict(), means["value_sd"].to_dict()
    seeds = _runs_per_row(chosen)
    failed = {} if diverged is None else _runs_per_row(diverged[diverged["model"] == model])
    rows = []
    for ratio, method in product(sorted(set(chosen["forget_ratio"])), order):
        if (ratio, method) not in {**seeds, **failed}:
            raise UserError(f"scores of {model}: no row of method '{method}' at forget ratio {ratio}; aggregate again")
        row = {
            "model": model,
            "forget_ratio": int(ratio),
            "method": method,
            "prune_ratio": (methods.get(method) or {}).get("prune_ratio"),
            "classification_protocol": classification,
            "seeds": seeds.get((ratio, method), 0),
            DIVERGED: failed.get((ratio, method), 0),
        }
        for column in VALUE_COLUMNS:
            split, task, metric, modality = _cell(column)
            cell = (ratio, method, split, task, metric, modality)
            row |= {column: values.get(cell), f"{column}_sd": spread.get(cell)}
        rows.append(row)
    numbers = [*VALUE_COLUMNS, *(SPREAD_COLUMNS if several_seeds(means) else ())]
    table = pd.DataFrame(rows, columns=[*ROW_COLUMNS, *([DIVERGED] if failed else []), *numbers])
    table[numbers] = table[numbers].astype("float64").round(DECIMALS)
    return table


def _runs_per_row(runs: pd.DataFrame) -> dict[tuple[int, str], int]:
    return runs.groupby(["forget_ratio", "method"])["seed"].nunique().to_dict()


def _cell(column: str) -> tuple[str, str, str, str]:
    """Split, task, metric and modality (_BOTH: their mean) of a value column."""
    modality = next((m for m in MODALITIES if column.endswith(f"_{m}")), _BOTH)
    split, _, measure = column.removesuffix(f"_{modality}").partition("_")
    task, metric, _ = MEASURES[measure]
    return split, task, metric, modality


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The scores whose mean, or spread, a cell of the main table is."""
    column = column.removesuffix("_sd")
    if column not in VALUE_COLUMNS:
        return None
    split, task, metric, modality = _cell(column)
    modalities = MODALITIES if modality == _BOTH else (modality,)
    cell = {"split": (split,), "task": (task,), "metric": (metric,), "modality": modalities}
    return Origin(("scores",), same(row, "model", "forget_ratio", "method") | cell, "value")


def csv_text(table: pd.DataFrame) -> str:
    """The table as CSV, the same byte for byte on every run; an empty cell is what does not apply."""
    table = table.assign(prune_ratio=["" if pd.isna(ratio) else f"{ratio:g}" for ratio in table["prune_ratio"]])
    return cells.csv_text(table)


def markdown(table: pd.DataFrame) -> str:
    """The table for reading: percent, one decimal; first the paper's columns, then the modalities apart."""
    model, protocol = table["model"].iloc[0], table["classification_protocol"].iloc[0]
    pruned = table.dropna(subset=["prune_ratio"]).drop_duplicates("method")
    ratios = ", ".join(f"{escape(row.method)} {row.prune_ratio:g} %" for row in pruned.itertuples())
    runs = ", ".join(str(count) for count in sorted(set(table["seeds"]) - {0}))
    meaning = f" ({_PROTOCOLS[protocol]})" if protocol in _PROTOCOLS else ""
    spread = (
        " \N{PLUS-MINUS SIGN} the standard deviation over them; that is not the interval over people within a seed"
        if SPREAD_COLUMNS[0] in table
        else ""
    )
    caption = (
        f"All values in percent (ROUGE-L: F1 times 100), mean over {runs} seed(s){spread}. "
        f"↓ lower is better: people to be forgotten; ↑ higher is better: what should stay. "
        f"Classification protocol: {escape(protocol)}{meaning}. "
        f"Prune ratio: {ratios if ratios else 'no method prunes'}. "
        "vanilla: nothing unlearned; retain\\_only: trained without the people to be forgotten."
        f"{' diverged: the loss was no number, so that there is no model to ask.' if DIVERGED in table else ''}"
    )
    measures = [
        (f"{split}_{measure}", f"{split} {heading} {_arrow(split)}")
        for split, (measure, (_, _, heading)) in product(PEOPLE_SPLITS, MEASURES.items())
    ]
    overall = grid(
        [
            *_row_heads(),
            *((heading, lambda row, key=key: _shown(row, key)) for key, heading in measures),
            (f"general classification {_arrow('general')}", lambda row: _shown(row, GENERAL)),
        ],
        table,
    )
    apart = grid(
        [
            *_row_heads(),
            *(
                (heading, lambda row, key=key: " / ".join(_shown(row, f"{key}_{name}") for name in MODALITIES))
                for key, heading in measures
            ),
        ],
        table,
    )
    return (
        f"# Main table: {escape(model)}\n\n{caption}\n\n"
        f"## Mean over the modalities\n\n{overall}\n\n"
        f"## By modality ({' / '.join(MODALITIES)})\n\n{apart}\n"
    )


def text_summary(scores: pd.DataFrame, methods: list[str], diverged: Iterable[str] = ()) -> str:
    """Plain text for the terminal, 80 columns: classification accuracy in percent per model and ratio.

    Columns: forget, test, retain and celebrity, each with the image (mm) and as text, then general.
    A cell that was not asked shows "-"; a method without any score has no row. diverged: a line for each run that did.
    """
    chosen = over_seeds(scores[scores["task"] == "classification"])
    values = chosen.set_index(["model", "forget_ratio", "method", "split", "modality"])["value"].to_dict()
    pairs = list(product(PEOPLE_SPLITS, MODALITIES))
    width = max(len(name) for name in [*row_order(methods), "method"])
    heads = "".join(f"{f'{split}{_arrow(split)}':^12}" for split in PEOPLE_SPLITS)
    columns = "".join(f"{'mm' if modality == 'multimodal' else modality:>6}" for _, modality in pairs)
    blocks = []
    for model, ratio in sorted({(key[0], key[1]) for key in values}):
        lines = [
            f"{model}, forget {ratio} %: classification accuracy, percent",
            f"{'':{width}}{heads}{'general↑':>9}",
            f"{'method':{width}}{columns}",
        ]
        for method in row_order(methods):
            cells = [values.get((model, ratio, method, split, modality)) for split, modality in pairs]
            general = _mean(values.get((model, ratio, method, "general", modality)) for modality in MODALITIES)
            if all(cell is None for cell in [*cells, general]):
                continue
            numbers = "".join(f"{_percent(cell, '-'):>6}" for cell in cells)
            lines.append(f"{method:{width}}{numbers}{_percent(general, '-'):>9}")
        blocks.append("\n".join(lines))
    legend = "mm: asked with the image; text: asked by name.\n↓ lower is better, ↑ higher is better."
    return "\n\n".join([*blocks, "\n".join([legend, *(f"diverged, no model to ask: {run}" for run in diverged)])])


def _chosen(scores: pd.DataFrame, model: str) -> pd.DataFrame:
    chosen = scores[scores["model"] == model]
    if chosen.empty:
        known = ", ".join(sorted(set(scores["model"])))
        raise UserError(f"unknown model '{model}' in the scores; known: {known}")
    return chosen


def _mean(values) -> float | None:
    """Mean of what is there; None when nothing is."""
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


def _arrow(split: str) -> str:
    return "↓" if split in FORGET_SPLITS else "↑"


def _percent(value: float | None, empty: str = "–") -> str:
    return empty if value is None or pd.isna(value) else f"{100 * value:.1f}"


def _shown(row: pd.Series, column: str) -> str:
    """A value of the table in percent, of several seeds with its spread."""
    return plus_minus(_percent(row[column]), _percent(row.get(f"{column}_sd"), ""))


def escape(text: object) -> str:
    """Text that Markdown shows as it is, also inside a table cell."""
    escaped = str(text).replace("\\", "\\\\").replace("\n", " ")
    for mark in "|*_`<>[]#~":
        escaped = escaped.replace(mark, f"\\{mark}")
    return escaped


def _row_heads() -> list:
    return [
        ("forget ratio %", lambda row: f"{row['forget_ratio']}"),
        ("method", lambda row: escape(row["method"]) + _diverged(row)),
        ("prune ratio %", lambda row: "" if pd.isna(row["prune_ratio"]) else f"{row['prune_ratio']:g}"),
    ]


def _diverged(row: pd.Series) -> str:
    """How many of a row's runs diverged, in words."""
    count = row.get(DIVERGED, 0)
    return (
        "" if not count else ", diverged" if not row["seeds"] else f", {count} of {count + row['seeds']} seeds diverged"
    )


def grid(columns: list, table: pd.DataFrame, words: tuple[str, ...] = ("method",)) -> str:
    """A Markdown table: columns are (heading, cell of a row); numbers stand right, `words` left."""
    lines = [
        "| " + " | ".join(escape(heading) for heading, _ in columns) + " |",
        "|" + "|".join(" :--- " if heading in words else " ---: " for heading, _ in columns) + "|",
    ]
    lines += ["| " + " | ".join(cell(row) for _, cell in columns) + " |" for _, row in table.iterrows()]
    return "\n".join(lines)
