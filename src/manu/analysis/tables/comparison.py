"""The published numbers beside ours: for each one the cell that answers to it, the difference and a status.

Statuses: "not run" (the study has no such cell, and why), "not comparable at this scale" (it has one, from models
that are not the published ones), and for studies of the published models "matched" (within the tolerance), "within
the interval" (the published value lies in ours) or "differs". A status and its reason are never empty.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from manu.analysis.cells import DECIMALS
from manu.analysis.grid import Cell, Column, Grid, TableOnPage, decimals, interval, minus, name, number, words
from manu.analysis.origin import Origin, Rows
from manu.analysis.page import Block, Fold, Page
from manu.analysis.page_rows import ASKED
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Study, Table
from manu.core.errors import UserError
from manu.data.reading import FORMATS
from manu.evaluation.vocabulary import MODALITIES

REPORTED_COLUMNS = (
    "source_paper",
    "reported_in",
    "confidence",
    "model",
    "benchmark",
    "forget_ratio",
    "method",
    "split",
    "modality",
    "task",
    "metric",
    "value",
    "direction",
    "note",
)
OUR_COLUMNS = (
    "our_model",
    "our_method",
    "our_forget_ratio",
    "our_split",
    "our_modality",
    "our_task",
    "our_metric",
    "our_file",
    "our_value",
    "our_ci_low",
    "our_ci_high",
    "our_n",
    "difference",
    "status",
    "reason",
)
COLUMNS = (*REPORTED_COLUMNS, *OUR_COLUMNS)
MODELS = {"LLaVA-1.5-7B": "llava", "Idefics2-8B": "idefics2"}
METHODS = {
    "Vanilla": "vanilla",
    "Finetune": "vanilla",
    "Retain-Only": "retain_only",
    "GA": "ga",
    "GradDiff": "gradient_difference",
    "KL": "kl",
    "NPO": "npo",
    "Prompting": "prompting",
    "MANU": "manu",
}
SPLITS = {"forget": "forget", "test": "test", "retain": "retain", "real_celebrity": "celebrity"}
# (task, metric) as reported -> ours: file, task or split and metric, and how many of the reported make one of ours
SCORES = {
    ("classification", "accuracy_pct"): ("classification", "accuracy", 100.0),
    ("cloze", "accuracy_pct"): ("cloze", "accuracy", 100.0),
    ("generation", "rouge_l"): ("generation", "rougeL", 1.0),
}
OUTCOMES = {
    "forget_quality": ("forget_quality", "forget"),
    "model_utility": ("model_utility", "retain"),
    "truth_ratio_norm": ("truth_ratio", "forget"),
    "answer_probability": ("answer_probability", "forget"),
    "ks_stat": ("ks_statistic", "forget"),
    "js_distance": ("js_distance", "forget"),
}
OUTCOME = "outcome"  # in place of a task
NOT_RUN, NOT_COMPARABLE = "not run", "not comparable at this scale"
MATCHED, WITHIN, DIFFERS = "matched", "within the interval", "differs"
STATUSES = {
    MATCHED: "equal to ours within the tolerance",
    WITHIN: "the published value lies in our interval over people",
    DIFFERS: "the published value lies outside our interval",
    NOT_COMPARABLE: "ours come from models that are not the published ones",
    NOT_RUN: "this study has no such cell; the reason says why",
}
PUBLISHED = ("source_paper", "model", "forget_ratio", "method", "split", "modality", "task", "metric")


@dataclass(frozen=True)
class Scale:
    """Whether a study's models are the published ones, what they are in words, how near counts as matched, and which
    published benchmark the study's own is or is made like."""

    comparable: bool
    models: str
    tolerance: float  # in the unit of a fraction
    benchmark: str  # as the published numbers name it


def settings(study: Study) -> dict:
    """The study's scale, and its benchmark as the published numbers name it."""
    name = FORMATS[study.benchmark.format_name].NAME
    return {"comparison": study.comparison.model_dump(), "benchmark": name}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """One row per published number (COLUMNS)."""
    given = settings["comparison"]
    scale = Scale(given["comparable"], given["models"], given["tolerance"] / 100, settings["benchmark"])
    return comparison(published(inputs), inputs.table("scores"), inputs.table("outcomes"), scale)


def published(inputs: Inputs) -> pd.DataFrame:
    """The published numbers (REPORTED_COLUMNS), all as text. Raises UserError when columns are missing."""
    reported = inputs.text("reported")
    if missing := [column for column in REPORTED_COLUMNS if column not in reported.columns]:
        raise UserError(f"{inputs.paths('reported')[0]} lacks the columns: {', '.join(missing)}")
    return reported[list(REPORTED_COLUMNS)]


def comparison(reported: pd.DataFrame, scores: pd.DataFrame, outcomes: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """One row per published number (COLUMNS), in their order.

    scores: scores.csv, outcomes: outcomes.csv. our_value is in the published unit; several modalities or seeds are
    averaged where the published number does not tell them apart, and so are the ends of their intervals.
    """
    ours, models = {"scores": Rows(scores), "outcomes": Rows(outcomes)}, {*scores["model"], *outcomes["model"]}
    rows = [row | _answer(row, ours, models, scale) for row in reported.to_dict("records")]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _ours(row: Mapping) -> Origin:
    """Our cells behind a published number, from the columns `our_...` of its row."""
    where: dict[str, tuple] = {key: (row[f"our_{key}"],) for key in ("model", "method", "split", "metric")}
    where |= {"forget_ratio": (int(row["our_forget_ratio"]),), "modality": tuple(row["our_modality"].split(" and "))}
    if row["our_task"] == OUTCOME:
        return Origin(("outcomes",), where, "value")
    return Origin(("scores",), where | {"task": (row["our_task"],)}, "value")


def _answer(row: Mapping[str, str], ours: Mapping[str, Rows], models: set[str], scale: Scale) -> dict:
    """Our columns for one published number."""
    empty = dict.fromkeys(OUR_COLUMNS, "")
    named, unit, why = _cell(row, scale.benchmark)
    if why:
        return empty | {"status": NOT_RUN, "reason": why}
    if named["our_model"] not in models:
        return empty | named | {"status": NOT_RUN, "reason": f"this study has no model '{named['our_model']}'"}
    (source,), where = _ours(named).sources, _ours(named).where
    cells = ours[source].match(where)
    if cells.empty:
        what = f"{named['our_method']} at {named['our_forget_ratio']} percent"
        return empty | named | {"status": NOT_RUN, "reason": f"this study has no {named['our_metric']} of {what}"}
    value, low, high = (float(cells[name].mean()) for name in ("value", "ci_low", "ci_high"))
    published = float(row["value"]) / unit
    status, reason = _status(published, value, low, high, scale, row)
    found = {"our_value": value * unit, "our_ci_low": low * unit, "our_ci_high": high * unit}
    found["difference"] = (value - published) * unit
    return {
        **empty,
        **named,
        "our_file": f"{source}.csv",
        **{column: f"{number:.{DECIMALS}f}" for column, number in found.items()},
        "our_n": str(int(cells["n"].sum())),
        "status": status,
        "reason": reason,
    }


def _cell(row: Mapping[str, str], benchmark: str) -> tuple[dict, float, str]:
    """Which cell answers to a published number (columns `our_...`), our unit in the published one, or why none does."""
    if row["model"] not in MODELS:
        return {}, 1.0, f"the architecture {row['model']} is not in this study"
    if row["benchmark"] != benchmark:
        return {}, 1.0, f"the benchmark {row['benchmark']} is not in this study"
    if row["method"] not in METHODS:
        return {}, 1.0, f"the method {row['method']} is not in this study"
    modalities = (row["modality"],) if row["modality"] in MODALITIES else MODALITIES
    if (row["task"], row["metric"]) in SCORES and row["split"] in SPLITS:
        task, metric, unit = SCORES[row["task"], row["metric"]]
        if metric == "rougeL" and float(row["value"]) > 1:
            unit = 100.0
        found: dict[str, str | int] = {"split": SPLITS[row["split"]], "task": task, "metric": metric}
    elif row["metric"] in OUTCOMES and row["split"] in ("forget", "all"):
        metric, split = OUTCOMES[row["metric"]]
        modalities = ("both",) if metric in ("forget_quality", "model_utility") else modalities
        found, unit = {"split": split, "task": OUTCOME, "metric": metric}, 1.0
    else:
        return {}, 1.0, f"{row['metric']} ({row['task']}, {row['split']}) is not measured in this study"
    found |= {"model": MODELS[row["model"]], "method": METHODS[row["method"]], "modality": " and ".join(modalities)}
    found["forget_ratio"] = int(row["forget_ratio"].rstrip("%"))
    return {f"our_{key}": value for key, value in found.items()}, unit, ""


def _status(published: float, value: float, low: float, high: float, scale: Scale, row: Mapping) -> tuple[str, str]:
    if not scale.comparable:
        return NOT_COMPARABLE, f"ours: {scale.models}; published: {row['model']} on {row['benchmark']}"
    if abs(value - published) <= scale.tolerance:
        return MATCHED, f"within {100 * scale.tolerance:g} points"
    if np.isfinite(low) and low <= published <= high:
        return WITHIN, "the published value lies in our interval over people"
    return DIFFERS, "the published value lies outside our interval over people"


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """Our cells of scores or outcomes; a published number comes from the file of published numbers."""
    if column == "value":
        keys = [key for key in REPORTED_COLUMNS if key not in ("value", "note")]
        return Origin(("reported",), {key: (row[key],) for key in keys}, "value")
    if column not in ("our_value", "our_ci_low", "our_ci_high", "our_n", "difference") or not row["our_file"]:
        return None
    return _ours(row)


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """How many published numbers have which status, then all of them."""
    counts = Counter(row["status"] for row in table.rows)
    order = [status for status in (*STATUSES, *sorted(set(counts) - set(STATUSES))) if counts[status]]
    file = page.chains.file(table.path)
    rows = [
        [
            name(status),
            Cell(str(counts[status]), link=file, command=f"rows of {table.path} with this status", look="number"),
            words(STATUSES.get(status, "")),
        ]
        for status in order
    ]
    heads = [Column("status", words=True), Column("numbers"), Column("meaning", words=True)]
    grid = _grid(table, order, page)
    return [
        Grid("published numbers by status", heads, rows, 1),
        Fold(f"All {len(grid.rows)} published numbers", [grid]),
    ]


def _grid(table: TableOnPage, order: Sequence[str], page: Page) -> Grid:
    """Every published number with the cell that answers to it, in this order of statuses."""
    columns = [
        Column("method", words=True),
        Column("status", words=True),
        Column("published"),
        Column("ours, interval"),
        Column("difference"),
        Column("measure", words=True),
        Column("model", words=True),
        Column("forget"),
        Column("questions", words=True),
        Column("asked", words=True),
        Column("reason", words=True),
        Column("published in", words=True),
    ]
    keys = (*(key for key in PUBLISHED if key != "source_paper"), "value")
    file, form, rows = page.chains.file(table.path), decimals(2), []
    for row in sorted(table.rows, key=lambda row: order.index(row["status"])):
        ours = {"ci_low": row["our_ci_low"], "ci_high": row["our_ci_high"]}
        link = page.chains.run(row["our_model"], row["our_method"], row["our_forget_ratio"], otherwise=file)
        rows.append(
            [
                name(row["method"]),
                name(row["status"]),
                number(table, row, "value", keys, file, minus),
                number(table, row, "our_value", keys, link, form, interval(ours, form)),
                number(table, row, "difference", keys, link, form),
                name(f"{row['metric']} ({row['task']})"),
                name(row["model"]),
                Cell(row["forget_ratio"].replace("%", " %"), look="number"),
                name(row["split"]),
                name(ASKED.get(row["modality"], row["modality"])),
                words(row["reason"]),
                words(f"{row['source_paper']}: {row['reported_in']}"),
            ]
        )
    return Grid("published numbers beside ours", columns, rows, 1)


TABLE = Table(
    title="The paper beside ours",
    caption="Every published number of data/reported/reported.csv with the cell of this study that answers to "
    "it, if there is one, a status and a reason.",
    section="paper",
    needs=("reported", "scores", "outcomes"),
    keys=tuple(
        column
        for column in COLUMNS
        if column not in ("value", "our_value", "our_ci_low", "our_ci_high", "our_n", "difference")
    ),
    settings=settings,
    make=make,
    origin=origin,
    show=show,
)
