"""Sequential requests: accuracy on the people requested so far and on retain people, after every request."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import in_order, row_order
from manu.analysis.figures.style import CHANCE, GREY, INK, chance_legend, drawn, legend_below, method_mark, panel_grid
from manu.analysis.origin import over_seeds_from
from manu.analysis.seeds import percent_over_seeds
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
_KEYS = ("model", "modality", "group", "method", "order", "after")
COLUMNS = (*_KEYS, "seeds", "accuracy", "ci_low", "ci_high", "n")
_LINES: dict[str, tuple[Any, str]] = {
    REQUESTED: ("-", "requested so far"),
    RETAIN: ("--", "retain"),
}  # group -> line style, label


def draw(sequential: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its points (COLUMNS, percent, means over seeds), from rows of sequential.csv.

    Raises ValueError on a method that is not in `methods`.
    """
    points = _points(sequential, methods)
    return drawn(points, "No sequential requests in this study.", lambda: _figure(points, methods))


def _points(sequential: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    chosen = sequential[(sequential["metric"] == "accuracy") & sequential["group"].isin(list(_LINES))]
    chosen = chosen.rename(columns={"value": "accuracy"})
    order = {
        "modality": list(MODALITIES),
        "group": list(_LINES),
        "method": row_order(methods),
        "order": [IN_TURN, AT_ONCE],
    }
    return percent_over_seeds(chosen, "accuracy", COLUMNS, _KEYS, order)


origin = over_seeds_from(NEEDS, _KEYS, value="accuracy", of="value", fixed={"metric": ("accuracy",)})


def _figure(points: pd.DataFrame, methods: list[str]) -> Figure:
    modalities, models = in_order(MODALITIES, points["modality"]), list(dict.fromkeys(points["model"]))
    width = max(3.3 * len(modalities) + 0.5, 6.5)
    grid = [[(model, modality) for modality in modalities] for model in models]
    size, labels = (width, 2.5 * len(models) + 1.3), ("people requested so far, %", "accuracy, %")
    figure, panels = panel_grid(points, ("model", "modality"), grid, size, labels)
    for panel, (model, modality), here in panels:
        _panel(panel, here, methods)
        panel.set_title(f"{model}, {modality}")
    handles = []
    for method in in_order(row_order(methods), points["method"]):
        colour, marker = method_mark(method, methods)
        handles.append(Line2D([], [], color=colour, marker=marker, markersize=4.5, label=method))
    handles += [Line2D([], [], color=INK, linestyle=style, label=words) for style, words in _LINES.values()]
    hollow: dict[str, Any] = {"marker": "o", "markersize": 6.5, "markerfacecolor": "none", "linestyle": "none"}
    handles.append(Line2D([], [], color=INK, **hollow, label=AT_ONCE))
    legend_below(figure, [*handles, chance_legend()], width)
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
