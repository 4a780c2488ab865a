"""Sequential requests: accuracy on the people requested so far and on retain people, after every request."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import in_percent, row_order, sort_rows
from manu.analysis.figures.style import (
    CHANCE,
    GREY,
    INK,
    legend_below,
    look,
    message_figure,
    method_mark,
    new_figure,
)
from manu.analysis.origin import Origin, same
from manu.analysis.seeds import over_seeds
from manu.analysis.tables.sequential import AT_ONCE, IN_TURN, REQUESTED, RETAIN
from manu.evaluation.vocabulary import MODALITIES

NEEDS = "sequential"
TITLE = "Sequential requests"
CAPTION = (
    "Classification accuracy, in percent, after every request to forget. A request edits the model that the previous "
    "request left. Solid: everybody requested so far (lower is better); dashed: retain people (higher is better). One "
    "panel per model and modality; means over seeds; the intervals over people are in the table. Hollow marks at the "
    "end: the same people forgotten in a single request. A rising solid line means that a later request forgets less, "
    "or that people forgotten before return; the table distinguishes the two. A dashed line that ends below its mark "
    "means that sequential requests cost more than a single one. Dotted: chance with four options."
)
COLUMNS = (
    "model",
    "modality",
    "group",
    "method",
    "order",
    "after",
    "seeds",
    "accuracy",
    "ci_low",
    "ci_high",
    "n",
)
_NUMBERS = ("accuracy", "ci_low", "ci_high")
_LINES: dict[str, tuple[Any, str]] = {
    REQUESTED: ("-", "requested so far"),
    RETAIN: ("--", "retain"),
}  # group -> line style, label


def draw(sequential: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its points (COLUMNS, percent, means over seeds), from rows of sequential.csv.

    Raises ValueError on a method that is not in `methods`.
    """
    points = _points(sequential, methods)
    with look():
        if points.empty:
            return message_figure("No sequential requests in this study."), points
        return _figure(points, methods), points


def _points(sequential: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    chosen = sequential[(sequential["metric"] == "accuracy") & sequential["group"].isin(list(_LINES))]
    chosen = chosen.rename(columns={"value": "accuracy"})
    chosen = in_percent(chosen, _NUMBERS)
    order = {
        "modality": list(MODALITIES),
        "group": list(_LINES),
        "method": row_order(methods),
        "order": [IN_TURN, AT_ONCE],
    }
    return sort_rows(
        over_seeds(chosen, "accuracy")[list(COLUMNS)], ["model", "modality", "group", "method", "order", "after"], order
    )


def origin(row: dict[str, str], column: str) -> Origin | None:
    """The rows of sequential.csv, one per seed."""
    if column not in (*_NUMBERS, "n"):
        return None
    source = "value" if column == "accuracy" else column
    keys = ("model", "modality", "group", "method", "order", "after")
    return Origin(("sequential",), same(row, *keys) | {"metric": ("accuracy",)}, source)


def _figure(points: pd.DataFrame, methods: list[str]) -> Figure:
    modalities = [modality for modality in MODALITIES if modality in set(points["modality"])]
    models = list(dict.fromkeys(points["model"]))
    width = max(3.3 * len(modalities) + 0.5, 6.5)
    figure = new_figure(width, 2.5 * len(models) + 1.3)
    axes = figure.subplots(len(models), len(modalities), squeeze=False, sharex=True, sharey=True)
    for row, model in enumerate(models):
        for column, modality in enumerate(modalities):
            panel = axes[row][column]
            _panel(panel, points[(points["model"] == model) & (points["modality"] == modality)], methods)
            panel.set_title(f"{model}, {modality}")
            if row == len(models) - 1:
                panel.set_xlabel("people requested so far, %")
            if column == 0:
                panel.set_ylabel("accuracy, %")
    handles = []
    for method in (method for method in row_order(methods) if method in set(points["method"])):
        colour, marker = method_mark(method, methods)
        handles.append(Line2D([], [], color=colour, marker=marker, markersize=4.5, label=method))
    handles += [Line2D([], [], color=INK, linestyle=style, label=words) for style, words in _LINES.values()]
    hollow: dict[str, Any] = {"marker": "o", "markersize": 6.5, "markerfacecolor": "none", "linestyle": "none"}
    handles.append(Line2D([], [], color=INK, **hollow, label=AT_ONCE))
    handles.append(Line2D([], [], color=GREY, linestyle=":", label=f"chance ({CHANCE:g} %)"))
    legend_below(figure, handles, width)
    figure.suptitle(f"{TITLE}: accuracy after each request to forget", fontsize=10.5)
    return figure


def _panel(axes: Axes, points: pd.DataFrame, methods: list[str]) -> None:
    axes.axhline(CHANCE, color=GREY, linestyle=":", linewidth=1.0, zorder=1)
    axes.set_xticks(sorted(set(points["after"])))
    for (group, method), line in points.groupby(["group", "method"], sort=False):
        group, method = str(group), str(method)
        colour, marker = method_mark(method, methods)
        turns, once = (line[line["order"] == order] for order in (IN_TURN, AT_ONCE))
        axes.plot(
            turns["after"],
            turns["accuracy"],
            color=colour,
            marker=marker,
            linestyle=_LINES[group][0],
            linewidth=1.3,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=3,
        )
        axes.plot(
            once["after"],
            once["accuracy"],
            color=colour,
            marker=marker,
            linestyle="none",
            markersize=8,
            markerfacecolor="none",
            markeredgewidth=1.1,
            zorder=4,
        )
    axes.set_ylim(-4, 104)
