"""The published numbers beside ours: for each one the cell that answers to it, the difference and a status.

Statuses: "not run" (the study has no cell of the same quantity, and why), "not comparable at this scale" (it has one,
from models that are not the published ones), and for studies of the published models "matched" (within the tolerance),
"within the interval" (the published value lies in ours) or "differs". A status and its reason are never empty.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from manu.analysis.cells import DECIMALS
from manu.analysis.grid import Cell, Column, Grid, TableOnPage, decimals, interval, minus, name, number, words
from manu.analysis.origin import Origin, Rows
from manu.analysis.page import Block, Fold, Page
from manu.analysis.page_rows import ASKED, several
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Study, Table
from manu.core.errors import UserError
from manu.data.reading import FORMATS
from manu.evaluation.vocabulary import MODALITIES, REFERENCES

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
MODELS = {
    "LLaVA-1.5-7B": "llava",
    "Idefics2-8B": "idefics2",
    "Qwen2.5-VL-3B": "qwen2_5_vl",
    "Qwen2.5-VL-7B": "qwen2_5_vl",
}
METHODS = {
    "Vanilla": "vanilla",
    "Finetune": "vanilla",
    "Retain-Only": "retain_only",
    "GA": "ga",
    "GradDiff": "gradient_difference",
    "KL": "kl",
    "NPO": "npo",
    "Prompting": "prompting",
    "RMU": "rmu",
    "UNDIAL": "undial",
    "MMUnlearner": "mmunlearner",
    "MANU": "manu",
}
SPLITS = {"forget": "forget", "test": "test", "retain": "retain", "real_celebrity": "celebrity"}
# (task, metric) as reported -> ours: task and metric, and how many of the reported make one of ours
SCORES = {
    ("classification", "accuracy_pct"): ("classification", "accuracy", 100.0),
    ("cloze", "accuracy_pct"): ("cloze", "accuracy", 100.0),
    ("generation", "rouge_l"): ("generation", "rougeL", 1.0),
    ("generation", "rouge_1"): ("generation", "rouge1", 1.0),
    ("generation", "bleu"): ("generation", "bleu", 1.0),
}
OUTCOMES = {"answer_probability": "answer_probability", "ks_stat": "ks_statistic", "js_distance": "js_distance"}
PROTOCOL = "letter"  # of the published classification
FROM_VARIANTS = ("ks_statistic", "js_distance")  # need a paraphrase and false versions of every answer
# Metric or task as reported -> why nothing here is the same quantity, although something here has its name
RELATIVES = {
    "truth_ratio_norm": "the truth ratio is published normalised, and how is not public",
    "forget_quality": "a fifth of Forget Quality is the normalised truth ratio, and how it is normalised is not public",
    "model_utility": "half of Model Utility is the mean of seven general benchmarks, which are not asked here",
    "overall": "it is the mean of Forget Quality, Model Utility and Robustness, none of which is the same here",
    **dict.fromkeys(
        ("robustness", "robustness_model", "robustness_input", "robustness_output"),
        "the attacks of this project are others (docs/robustness.md)",
    ),
    "MIA": "membership is measured as an AUC here, and published as the closeness of the AUC to 0.5",
}
OUTCOME = "outcome"  # in place of a task
NOT_RUN, NOT_COMPARABLE = "not run", "not comparable at this scale"
MATCHED, WITHIN, DIFFERS = "matched", "within the interval", "differs"
STATUSES = {
    MATCHED: "equal to ours within the tolerance",
    WITHIN: "the published value lies in our interval over people",
    DIFFERS: "the published value lies outside our interval",
    NOT_COMPARABLE: "ours come from models that are not the published ones",
    NOT_RUN: "this study has no cell of the same quantity; the reason says why",
}
PUBLISHED = ("source_paper", "model", "forget_ratio", "method", "split", "modality", "task", "metric")


@dataclass(frozen=True)
class Scope:
    """What a study has that published numbers may be about.

    comparable: whether its models are the published ones; words: what they are; tolerance: how near counts as matched,
    in the unit of a fraction; benchmark: the published one that the study's own is or is made like; models: name ->
    repository of its pretrained checkpoint, or ""; protocol: of classification.
    """

    comparable: bool
    words: str
    tolerance: float
    benchmark: str
    models: Mapping[str, str]
    methods: Collection[str]
    forget_ratios: Collection[int]
    splits: Collection[str]
    modalities: Collection[str]
    tasks: Collection[str]
    protocol: str


def settings(study: Study) -> dict:
    """What the study has (`Scope`)."""
    asked = study.evaluation
    return {
        "comparison": study.comparison.model_dump(),
        "benchmark": FORMATS[study.benchmark.format_name].NAME,
        "models": {name: (model.start and model.start.repo) or "" for name, model in study.models.items()},
        "methods": list(study.methods),
        "forget_ratios": list(study.forget_ratios),
        "evaluation": asked.model_dump(include={"splits", "modalities", "tasks", "classification"}),
    }


def scope_of(settings: Mapping) -> Scope:
    """The scope, from the settings of the table's job."""
    given, asked = settings["comparison"], settings["evaluation"]
    return Scope(
        given["comparable"],
        given["models"],
        given["tolerance"] / 100,
        settings["benchmark"],
        settings["models"],
        {*REFERENCES, *settings["methods"]},
        settings["forget_ratios"],
        asked["splits"],
        asked["modalities"],
        asked["tasks"],
        asked["classification"],
    )


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """One row per published number (COLUMNS)."""
    return comparison(published(inputs), inputs.table("scores"), inputs.table("outcomes"), scope_of(settings))


def published(inputs: Inputs) -> pd.DataFrame:
    """The published numbers (REPORTED_COLUMNS), all as text. Raises UserError when columns are missing."""
    reported = inputs.text("reported")
    if missing := [column for column in REPORTED_COLUMNS if column not in reported.columns]:
        raise UserError(f"{inputs.paths('reported')[0]} lacks the columns: {', '.join(missing)}")
    return reported[list(REPORTED_COLUMNS)]


def comparison(reported: pd.DataFrame, scores: pd.DataFrame, outcomes: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """One row per published number (COLUMNS), in their order.

    scores: scores.csv, outcomes: outcomes.csv. our_value is in the published unit; several modalities or seeds are
    averaged where the published number does not tell them apart, and so are the ends of their intervals.
    """
    ours = {"scores": Rows(scores), "outcomes": Rows(outcomes)}
    rows = [row | _answer(row, ours, scope) for row in reported.to_dict("records")]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _ours(row: Mapping) -> Origin:
    """Our cells behind a published number, from the columns `our_...` of its row."""
    where: dict[str, tuple] = {key: (row[f"our_{key}"],) for key in ("model", "method", "split", "metric")}
    where |= {"forget_ratio": (int(row["our_forget_ratio"]),), "modality": tuple(row["our_modality"].split(" and "))}
    if row["our_task"] == OUTCOME:
        return Origin(("outcomes",), where, "value")
    return Origin(("scores",), where | {"task": (row["our_task"],)}, "value")


def _answer(row: Mapping[str, str], ours: Mapping[str, Rows], scope: Scope) -> dict:
    """Our columns for one published number."""
    empty = dict.fromkeys(OUR_COLUMNS, "")
    if why := _absent(row, scope):
        return empty | {"status": NOT_RUN, "reason": why}
    named, unit = _cell(row)
    (source,), where = _ours(named).sources, _ours(named).where
    cells = ours[source].match(where)
    if cells.empty:
        metric = named["our_metric"]
        why = f"{source}.csv has no {metric} of {named['our_method']} at {named['our_forget_ratio']} percent"
        if metric in FROM_VARIANTS and not len(ours[source].match({"metric": (metric,)})):
            why = f"{metric} needs a paraphrase of every answer, which this study's benchmark does not have"
        return empty | named | {"status": NOT_RUN, "reason": why}
    value, low, high = (float(cells[name].mean()) for name in ("value", "ci_low", "ci_high"))
    published = float(row["value"]) / unit
    status, reason = _status(published, value, low, high, scope, row)
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


def _absent(row: Mapping[str, str], scope: Scope) -> str:
    """What this project, or this study, lacks for the quantity of a published number; "" if nothing."""
    model, method = MODELS.get(row["model"]), METHODS.get(row["method"])
    if model is None:
        named = row["model"] != "unspecified"
        return f"this project has no model {row['model']}" if named else "the source does not name the model"
    if model not in scope.models:
        return f"this study has no model '{model}'"
    checkpoint = scope.models[model]
    if scope.comparable and checkpoint and row["model"].lower() not in checkpoint.lower():
        return f"the model '{model}' of this study is {checkpoint}"
    if row["benchmark"] != scope.benchmark:
        return f"this study asks in the form of {scope.benchmark}, not of {row['benchmark']}"
    if method is None:
        return f"this project has no method {row['method']}"
    if method not in scope.methods:
        return f"this study does not run {method}"
    if _ratio(row) not in scope.forget_ratios:
        return f"this study does not forget {_ratio(row)} percent"
    if relative := RELATIVES.get(row["metric"]) or RELATIVES.get(row["task"]):
        return relative
    score = SCORES.get((row["task"], row["metric"]))
    if (score is None and row["metric"] not in OUTCOMES) or row["split"] not in SPLITS:
        return f"this project does not measure {row['metric']} ({row['task']}, {row['split']})"
    if scope.comparable and row["task"] == "classification" and scope.protocol != PROTOCOL:
        return f"classification is by {scope.protocol} in this study, and by {PROTOCOL} in print"
    task = score[0] if score else "generation"
    asked = ((SPLITS[row["split"]], scope.splits), (task, scope.tasks), *((m, scope.modalities) for m in _asked(row)))
    lacking = [name for name, there in asked if name not in there]
    return f"this study does not ask: {', '.join(lacking)}" if lacking else ""


def _ratio(row: Mapping[str, str]) -> int:
    return int(row["forget_ratio"].rstrip("%"))


def _asked(row: Mapping[str, str]) -> tuple[str, ...]:
    """The modalities that a published number is about; both where it does not tell them apart."""
    return (row["modality"],) if row["modality"] in MODALITIES else MODALITIES


def _cell(row: Mapping[str, str]) -> tuple[dict, float]:
    """Our cell of the same quantity (columns `our_...`), and our unit in the published one."""
    score = SCORES.get((row["task"], row["metric"]))
    task, metric, unit = score or (OUTCOME, OUTCOMES[row["metric"]], 1.0)
    if metric.startswith("rouge") and float(row["value"]) > 1:
        unit = 100.0
    found = {
        "model": MODELS[row["model"]],
        "method": METHODS[row["method"]],
        "forget_ratio": _ratio(row),
        "split": SPLITS[row["split"]],
        "modality": " and ".join(_asked(row)),
        "task": task,
        "metric": metric,
    }
    return {f"our_{key}": value for key, value in found.items()}, unit


def _status(published: float, value: float, low: float, high: float, scope: Scope, row: Mapping) -> tuple[str, str]:
    if not scope.comparable:
        by = f", by {scope.protocol}" if row["task"] == "classification" and scope.protocol != PROTOCOL else ""
        return NOT_COMPARABLE, f"ours: {scope.words}{by}; published: {row['model']} on {row['benchmark']}"
    if abs(value - published) <= scope.tolerance:
        return MATCHED, f"within {100 * scope.tolerance:g} points"
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
    """How many published numbers have which status; those with ours beside them; why the others are not run."""
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
    alike: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for row in sorted(table.rows, key=lambda row: order.index(row["status"])):
        alike.setdefault((row["status"], row["reason"]), []).append(row)
    missing = {reason: len(group) for (status, reason), group in alike.items() if status == NOT_RUN}
    return [
        Grid("published numbers by status", heads, rows, 1),
        *(
            Fold(f"{len(group)} {status}: {reason}", [_grid(TableOnPage(table.path, group), page)])
            for (status, reason), group in alike.items()
            if status != NOT_RUN
        ),
        *([Fold(f"Why {counts[NOT_RUN]} are not run", [_reasons(missing)])] if missing else []),
    ]


def _reasons(counts: Mapping[str, int]) -> Grid:
    """How many published numbers have which reason, the most frequent first."""
    rows = [
        [Cell(str(count), look="number"), words(reason)]
        for reason, count in sorted(counts.items(), key=lambda item: -item[1])
    ]
    return Grid("published numbers that are not run", [Column("numbers"), Column("reason", words=True)], rows, 1)


def _grid(table: TableOnPage, page: Page) -> Grid:
    """Published numbers with the cells that answer to them; the model stands where there are several."""
    models = several(table.rows, "model")
    columns = [
        Column("method", words=True),
        Column("published"),
        Column("ours, interval"),
        Column("difference"),
        Column("measure", words=True),
        *([Column("model", words=True)] if models else []),
        Column("forget"),
        Column("questions", words=True),
        Column("published in", words=True),
    ]
    keys = (*(key for key in PUBLISHED if key != "source_paper"), "value")
    file, form, rows = page.chains.file(table.path), decimals(2), []
    for row in table.rows:
        ours = {"ci_low": row["our_ci_low"], "ci_high": row["our_ci_high"]}
        link = page.chains.run(row["our_model"], row["our_method"], row["our_forget_ratio"], otherwise=file)
        rows.append(
            [
                name(row["method"]),
                number(table, row, "value", keys, file, minus),
                number(table, row, "our_value", keys, link, form, interval(ours, form)),
                number(table, row, "difference", keys, link, form),
                name(f"{row['metric']} ({row['task']})"),
                *([name(row["model"])] if models else []),
                Cell(row["forget_ratio"].replace("%", " %"), look="number"),
                name(f"{row['split']}, {ASKED.get(row['modality'], row['modality'])}"),
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
