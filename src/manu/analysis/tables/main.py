"""The paper's main table per model, and its short form for the terminal.

Both have one row per forget ratio and method: vanilla, retain_only, then the study's methods in the
study's order; a value is the mean over seeds, and has its standard deviation beside it where there are several.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import pandas as pd

from manu.analysis.cells import escape, markdown_table, percent_text, rounded, row_order
from manu.analysis.grid import Cell, Column, Grid, TableOnPage, is_empty, name, number, percent, spread
from manu.analysis.origin import From, Origin, select
from manu.analysis.page import Block, Fold, Heading, Page, Prose
from manu.analysis.page_rows import ASKED, directions, first_of_block, link_of_run
from manu.analysis.reading import Inputs
from manu.analysis.seeds import over_seeds, plus_minus, several_seeds
from manu.analysis.tables.base import Study, Table, methods_of
from manu.core.errors import UserError
from manu.evaluation.vocabulary import FORGET_SPLITS, MODALITIES
from manu.unlearning.choice import read_choice, with_choices

PEOPLE_SPLITS = ("forget", "test", "retain", "celebrity")
# column name -> (task, metric, heading)
MEASURES = {
    "classification": ("classification", "accuracy", "classification"),
    "rougeL": ("generation", "rougeL", "ROUGE-L"),
    "cloze": ("cloze", "accuracy", "cloze"),
}
ROW_COLUMNS = ("model", "forget_ratio", "method", "prune_ratio", "works", "classification_protocol", "seeds")
DIVERGED = "diverged"  # follows where there are such runs
MEMORISED = "memorised"  # the last column, where there is a gate
GENERAL = "general_classification"
_LEADS = " memorised: by how much vanilla leads the checkpoint that it started from on the forget people."
NO_SETTING = (
    " \N{DAGGER} no setting that was tried forgets and keeps: shown is the one that keeps most of those that forget."
)


def _value(split: str, measure: str, modalities: tuple[str, ...]) -> From:
    """The scores that a column is the mean of, over the modalities that were asked and over the seeds."""
    task, metric, _ = MEASURES[measure]
    cell = {"split": (split,), "task": (task,), "metric": (metric,), "modality": modalities}
    return From("scores", ("model", "forget_ratio", "method"), "value", cell)


VALUES = {
    f"{split}_{measure}{suffix}": _value(split, measure, modalities)
    for split, measure in product(PEOPLE_SPLITS, MEASURES)
    for suffix, modalities in (*((f"_{modality}", (modality,)) for modality in MODALITIES), ("", MODALITIES))
} | {GENERAL: _value("general", "classification", MODALITIES)}
VALUE_COLUMNS = tuple(VALUES)
SPREAD_COLUMNS = tuple(f"{column}_sd" for column in VALUE_COLUMNS)  # follow where there are several seeds
_PROTOCOLS = {
    "likelihood": "the option to which the model gives the highest likelihood where its own answer reaches the value",
    "letter": "the letter that the model replies with",
}


def settings(study: Study) -> dict:
    """The methods with kind and prune ratio, in the study's order, and the classification protocol."""
    protocol = {"classification": study.evaluation.classification}
    return {"methods": methods_of(study), "evaluation": protocol}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """The table of one model, with the prune ratios that were chosen for it."""
    methods = with_choices(settings["methods"], inputs.paths("choices"), inputs.model)
    for choice in map(read_choice, inputs.paths("choices")):
        if choice["model"] == inputs.model:
            methods[choice["method"]] = methods[choice["method"]] | {"works": choice["works"]}
    protocol = settings["evaluation"]["classification"]
    table = main_table(inputs.table("scores"), inputs.model, methods, protocol, inputs.table("diverged"))
    return with_memorised(table, inputs.table("memorisation"))


def with_memorised(table: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    """The main table with the column MEMORISED: by how much vanilla leads the checkpoint that it started from, on
    forget, a fraction, in the rows of vanilla; as it was where the model started from no checkpoint that was asked.

    leads: rows of the table `memorisation`.
    """
    mine = leads[leads["model"] == table["model"].iloc[0]] if len(leads) else leads
    if mine.empty:
        return table
    means = mine.groupby("forget_ratio")["lead"].mean()
    values = table["forget_ratio"].map(means).where(table["method"] == "vanilla")
    return rounded(table.assign(**{MEMORISED: values}), [MEMORISED])


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
    `prune_ratio` (percent) marks the pruning methods and stands in its column, empty elsewhere; `works` (bool) says of
    tuned methods whether any setting forgets and keeps (manu.analysis.tables.tuning), and stands there as yes or no.
    classification: the study's protocol. Values are fractions; `<split>_<measure>` is the mean over the
    modalities that were asked (the paper's table does not tell them apart); what was not asked is NaN.
    diverged: the runs that have no scores since their training diverged (manu.analysis.tables.diverged).
    Raises UserError on an unknown model, a method that the study does not list, or a missing row.
    """
    chosen = _chosen(scores, model)
    order = row_order(list(methods))
    unknown = [method for method in dict.fromkeys(chosen["method"]) if method not in order]
    if unknown:
        raise UserError(f"scores of {model}: unknown method '{unknown[0]}'; the study lists: {', '.join(order)}")

    cells = pd.concat([select(chosen, come.fixed).assign(column=column) for column, come in VALUES.items()])
    keys = ["forget_ratio", "method", "column"]
    over_modalities = cells.groupby([*keys, "seed"], sort=False, as_index=False)["value"].mean()
    means = over_seeds(over_modalities).set_index(keys)
    values, spread = means["value"].to_dict(), means["value_sd"].to_dict()
    seeds = _runs_per_row(chosen)
    failed = {} if diverged is None else _runs_per_row(diverged[diverged["model"] == model])
    rows = []
    for ratio, method in product(sorted(set(chosen["forget_ratio"])), order):
        if (ratio, method) not in {**seeds, **failed}:
            raise UserError(
                f"scores of {model}: no row of method '{method}' at forget ratio {ratio}; run make_scores again"
            )
        row = {
            "model": model,
            "forget_ratio": int(ratio),
            "method": method,
            "prune_ratio": (methods.get(method) or {}).get("prune_ratio"),
            "works": _works(methods.get(method) or {}),
            "classification_protocol": classification,
            "seeds": seeds.get((ratio, method), 0),
            DIVERGED: failed.get((ratio, method), 0),
        }
        for column in VALUE_COLUMNS:
            cell = (ratio, method, column)
            row |= {column: values.get(cell), f"{column}_sd": spread.get(cell)}
        rows.append(row)
    numbers = [*VALUE_COLUMNS, *(SPREAD_COLUMNS if several_seeds(means) else ())]
    return rounded(pd.DataFrame(rows, columns=[*ROW_COLUMNS, *([DIVERGED] if failed else []), *numbers]), numbers)


def _works(settings: Mapping) -> str:
    return "" if "works" not in settings else "yes" if settings["works"] else "no"


def _runs_per_row(runs: pd.DataFrame) -> dict[tuple[int, str], int]:
    return runs.groupby(["forget_ratio", "method"])["seed"].nunique().to_dict()


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The scores whose mean, or spread over seeds, a cell is; of MEMORISED the leads."""
    if column == MEMORISED:
        return From("memorisation", ("model", "forget_ratio"), "lead", mean=True).origin(row)
    return VALUES[column.removesuffix("_sd")].origin(row)


def markdown(table: pd.DataFrame, inputs: Inputs, settings: Mapping) -> str:
    """The table for reading: percent, one decimal; first the paper's columns, then the modalities apart."""
    return markdown_text(table)


def markdown_text(table: pd.DataFrame) -> str:
    """`markdown`, which needs nothing but the table."""
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
        f"↓ lower is better: forget people; ↑ higher is better: what should stay. "
        f"Classification protocol: {escape(protocol)}{meaning}. "
        f"Prune ratio: {ratios if ratios else 'no method prunes'}. "
        "vanilla: nothing unlearned; retain\\_only: trained without the forget people."
        f"{NO_SETTING if 'no' in set(table['works']) else ''}"
        f"{_LEADS if MEMORISED in table else ''}"
        f"{' diverged: the loss was no number, so that there is no model to ask.' if DIVERGED in table else ''}"
    )
    measures = {
        f"{split} {heading} {_arrow(split)}": f"{split}_{measure}"
        for split, (measure, (_, _, heading)) in product(PEOPLE_SPLITS, MEASURES.items())
    }

    def column(*keys: str) -> list[str]:
        return [" / ".join(_shown(row, key) for key in keys) for _, row in table.iterrows()]

    heads = {
        "forget ratio %": [f"{ratio}" for ratio in table["forget_ratio"]],
        "method": [escape(row["method"]) + _marked(row) + _diverged(row) for _, row in table.iterrows()],
        "prune ratio %": ["" if pd.isna(ratio) else f"{ratio:g}" for ratio in table["prune_ratio"]],
    }
    if MEMORISED in table:
        heads |= {
            "memorised \N{UPWARDS ARROW}": ["" if pd.isna(lead) else percent_text(lead) for lead in table[MEMORISED]]
        }
    general = {f"general classification {_arrow('general')}": column(GENERAL)}
    overall = markdown_table(heads | {heading: column(key) for heading, key in measures.items()} | general)
    apart = markdown_table(
        heads | {heading: column(*(f"{key}_{name}" for name in MODALITIES)) for heading, key in measures.items()}
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
            numbers = "".join(f"{percent_text(cell, '-'):>6}" for cell in cells)
            lines.append(f"{method:{width}}{numbers}{percent_text(general, '-'):>9}")
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


def _shown(row: pd.Series, column: str) -> str:
    """A value of the table in percent, of several seeds with its spread."""
    return plus_minus(percent_text(row[column]), percent_text(row.get(f"{column}_sd"), ""))


def _marked(row: Mapping) -> str:
    """The mark of a method of which no setting forgets and keeps."""
    return " \N{DAGGER}" if row.get("works") == "no" else ""


def _diverged(row: pd.Series) -> str:
    """How many of a row's runs diverged, in words."""
    count = row.get(DIVERGED, 0)
    return (
        "" if not count else ", diverged" if not row["seeds"] else f", {count} of {count + row['seeds']} seeds diverged"
    )


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """Per measure a grid: by split, asked with the picture, in plain text, and the mean."""
    arrows, rows = directions(page.tables.get("scores")), table.rows
    runs = ", ".join(dict.fromkeys(row["seeds"] for row in rows if row["seeds"] != "0"))
    plus = "; ± is the standard deviation over them, not the interval over people within one"
    over = "One seed" if runs in ("", "1") else f"Mean over {runs} seeds{plus}"
    pruned = {row["method"]: row["prune_ratio"] for row in rows if row["prune_ratio"]}
    ratios = ", ".join(f"{method} {ratio} %" for method, ratio in pruned.items()) or "nothing"
    about = (
        f"{over}. Classification protocol: "
        f"{rows[0]['classification_protocol']}; four options, so chance is 25. Pruned: {ratios}."
        f"{NO_SETTING if any(_marked(row) for row in rows) else ''}"
    )
    blocks: list[Block] = [Heading(rows[0]["model"]), Prose(about, small=True)]
    for measure, (_, _, heading) in MEASURES.items():
        shown = [
            (f"{split}_{measure}{suffix}", Column(head, f"{split}{arrows.get(split, '')}", look))
            for split in PEOPLE_SPLITS
            for suffix, head, look in (*((f"_{m}", ASKED[m], m) for m in MODALITIES), ("", "mean", ""))
        ]
        if measure == "classification":
            shown.append((GENERAL, Column("all", f"general{arrows.get('general', '')}")))
        shown = [(column, head) for column, head in shown if any(not is_empty(row.get(column)) for row in rows)]
        if shown:
            grid = _grid(table, heading, shown, page)
            title = heading[0].upper() + heading[1:]
            blocks += [Fold(title, [grid])] if len(blocks) > 2 else [Heading(title, level=4), grid]
    return blocks


def _grid(table: TableOnPage, heading: str, shown: Sequence[tuple[str, Column]], page: Page) -> Grid:
    rows, keys, file = [], ("method", "forget_ratio"), page.chains.file(table.path)
    for row in table.rows:
        link = link_of_run(row, page, file)
        cells = [
            number(table, row, column, keys, link, small=spread(row, f"{column}_sd", percent)) for column, _ in shown
        ]
        rows.append([Cell(f"{row['forget_ratio']} %", look="number"), name(row["method"] + _marked(row)), *cells])
    columns = [Column("forget"), Column("method", words=True), *(head for _, head in shown)]
    label = f"{table.rows[0]['model']}: {heading}, percent"
    return Grid(label, columns, rows, 2, first_of_block(table.rows, "forget_ratio"))


TABLE = Table(
    title="Main table",
    caption="The paper's table for one model: classification accuracy, ROUGE-L and cloze accuracy on forget, "
    "test, retain and celebrity, in percent, one row per forget ratio and method. Questions come with "
    "the picture and as text; the mean of the two is what the paper's table shows. ↓ lower is better: "
    "people to forget, and test, the same people in other pictures; ↑ higher is better: everybody else. celebrity: "
    "public figures; general: strangers. vanilla: nothing unlearned; retain_only: trained without the forget set.",
    section="main-tables",
    needs=("scores", "diverged"),
    optional=("choices", "memorisation"),
    keys=(*ROW_COLUMNS, DIVERGED),
    per_model=True,
    settings=settings,
    make=make,
    origin=origin,
    markdown=markdown,
    show=show,
)
