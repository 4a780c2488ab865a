"""The published numbers beside ours: for each one the cell that answers to it, the difference and a status.

Statuses: "not run" (the study has no such cell, and why), "not comparable at this scale" (it has one, from models
that are not the published ones), and for studies of the published models "matched" (within the tolerance), "within
the interval" (the published value lies in ours) or "differs". A status and its reason are never empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from manu.analysis.cells import DECIMALS
from manu.analysis.origin import Origin
from manu.core.errors import UserError
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
NOT_RUN, NOT_COMPARABLE = "not run", "not comparable at this scale"
MATCHED, WITHIN, DIFFERS = "matched", "within the interval", "differs"


@dataclass(frozen=True)
class Scale:
    """Whether a study's models are the published ones, what they are in words, how near counts as matched, and which
    published benchmark the study's own is or is made like."""

    comparable: bool
    models: str
    tolerance: float  # in the unit of a fraction
    benchmark: str  # as the published numbers name it


def read_reported(path) -> pd.DataFrame:
    """The published numbers, all columns as text. Raises UserError when columns are missing."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [column for column in REPORTED_COLUMNS if column not in table.columns]
    if missing:
        raise UserError(f"{path} lacks the columns: {', '.join(missing)}")
    return table[list(REPORTED_COLUMNS)]


def comparison(reported: pd.DataFrame, scores: pd.DataFrame, outcomes: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """One row per published number (COLUMNS), in their order.

    scores: scores.csv, outcomes: outcomes.csv. our_value is in the published unit; several modalities or seeds are
    averaged where the published number does not tell them apart, and so are the ends of their intervals.
    """
    scores = scores.assign(file="scores.csv")
    outcomes = outcomes.assign(file="outcomes.csv", task="outcome")
    ours = pd.concat([scores, outcomes], ignore_index=True)
    index = {key: group for key, group in ours.groupby(["model", "method", "forget_ratio", "split", "task", "metric"])}
    rows = [row | _answer(row, index, set(ours["model"]), scale) for row in reported.to_dict("records")]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _answer(row: Mapping[str, str], index: Mapping, models: set[str], scale: Scale) -> dict:
    """Our columns for one published number."""
    empty = dict.fromkeys(OUR_COLUMNS, "")
    where, unit, why = _cell(row, scale.benchmark)
    if why:
        return empty | {"status": NOT_RUN, "reason": why}
    named = {f"our_{key}": value for key, value in where.items() if key != "modalities"}
    named["our_modality"] = " and ".join(where["modalities"])
    if where["model"] not in models:
        return empty | named | {"status": NOT_RUN, "reason": f"this study has no model '{where['model']}'"}
    key = tuple(where[k] for k in ("model", "method", "forget_ratio", "split", "task", "metric"))
    cells = index.get(key)
    if cells is not None:
        cells = cells[cells["modality"].isin(where["modalities"])]
    if cells is None or cells.empty:
        what = f"{where['method']} at {where['forget_ratio']} percent"
        return empty | named | {"status": NOT_RUN, "reason": f"this study has no {where['metric']} of {what}"}
    value, low, high = (float(cells[name].mean()) for name in ("value", "ci_low", "ci_high"))
    published = float(row["value"]) / unit
    status, reason = _status(published, value, low, high, scale, row)
    return (
        empty
        | named
        | {
            "our_file": cells["file"].iloc[0],
            "our_value": f"{value * unit:.{DECIMALS}f}",
            "our_ci_low": f"{low * unit:.{DECIMALS}f}",
            "our_ci_high": f"{high * unit:.{DECIMALS}f}",
            "our_n": str(int(cells["n"].sum())),
            "difference": f"{(value - published) * unit:.{DECIMALS}f}",
            "status": status,
            "reason": reason,
        }
    )


def _cell(row: Mapping[str, str], benchmark: str) -> tuple[dict, float, str]:
    """The cell that answers to a published number, our unit in the published one, or why there is none."""
    if row["model"] not in MODELS:
        return {}, 1.0, f"the architecture {row['model']} is not in this study"
    if row["benchmark"] != benchmark:
        return {}, 1.0, f"the benchmark {row['benchmark']} is not in this study"
    if row["method"] not in METHODS:
        return {}, 1.0, f"the method {row['method']} is not in this study"
    where = {"model": MODELS[row["model"]], "method": METHODS[row["method"]]}
    where["forget_ratio"] = int(row["forget_ratio"].rstrip("%"))
    both = MODALITIES
    modalities = (row["modality"],) if row["modality"] in MODALITIES else both
    if (row["task"], row["metric"]) in SCORES and row["split"] in SPLITS:
        task, metric, unit = SCORES[row["task"], row["metric"]]
        if metric == "rougeL" and float(row["value"]) > 1:
            unit = 100.0
        found = {"split": SPLITS[row["split"]], "task": task, "metric": metric, "modalities": modalities}
        return where | found, unit, ""
    if row["metric"] in OUTCOMES and row["split"] in ("forget", "all"):
        metric, split = OUTCOMES[row["metric"]]
        over_both = metric in ("forget_quality", "model_utility")
        asked = ("both",) if over_both else modalities
        found = {"split": split, "task": "outcome", "metric": metric, "modalities": asked}
        return where | found, 1.0, ""
    return {}, 1.0, f"{row['metric']} ({row['task']}, {row['split']}) is not measured in this study"


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
    where: dict[str, tuple] = {key: (row[f"our_{key}"],) for key in ("model", "method", "split", "metric")}
    where |= {"forget_ratio": (int(row["our_forget_ratio"]),), "modality": tuple(row["our_modality"].split(" and "))}
    if row["our_file"] == "scores.csv":
        return Origin(("scores",), where | {"task": (row["our_task"],)}, "value")
    return Origin(("outcomes",), where, "value")
