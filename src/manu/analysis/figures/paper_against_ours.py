"""Published accuracies against ours."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import in_order, row_order, sort_rows
from manu.analysis.figures.style import GREY, drawn, heading, legend_below, method_mark, new_figure
from manu.analysis.origin import Origin, same
from manu.evaluation.vocabulary import SPLITS, TASKS

NEEDS = "comparison"
TITLE = "Published accuracies against ours"
CAPTION = (
    "A published accuracy (x) against ours (y) for the same method, forget ratio, split, modality and task, in "
    "percent. One panel per model and split; one marker per method, filled for classification, hollow for cloze "
    "questions. On the diagonal both are equal. If the study's models are not the published ones (status "
    '"not comparable at this scale"), the points are not expected on the diagonal; then only the order of the '
    "methods can be compared."
)
COLUMNS = (
    "source_paper",
    "reported_in",
    "model",
    "our_method",
    "forget_ratio",
    "split",
    "modality",
    "task",
    "published",
    "ours",
    "difference",
    "status",
)
_FROM = {
    "published": "value",
    "ours": "our_value",
    "difference": "difference",
}  # column of the figure -> column of the table
_HOLLOW = "cloze"


def draw(comparison: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its points (COLUMNS, percent), from rows of manu.analysis.tables.comparison.

    forget_ratio (percent) and split are the study's, not the paper's. Raises ValueError on a method that is neither a
    reference nor in `methods`.
    """
    points = _points(comparison, methods)
    return drawn(points, "No published accuracy has a counterpart in this study.", lambda: _figure(points, methods))


def _points(comparison: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    numbers = {name: pd.to_numeric(comparison[of], errors="coerce") for name, of in _FROM.items()}
    shown = (comparison["our_file"] == "scores.csv") & (comparison["metric"] == "accuracy_pct")
    chosen = comparison.assign(**numbers)[shown & numbers["ours"].notna()]
    ratios = pd.to_numeric(chosen["our_forget_ratio"]).astype("int64")
    points = chosen.assign(forget_ratio=ratios, split=chosen["our_split"])[list(COLUMNS)]
    order = {"our_method": row_order(methods), "split": list(SPLITS), "task": list(TASKS)}
    return sort_rows(points, ["model", "split", "our_method", "task", "forget_ratio"], order)


def origin(row: dict[str, str], column: str) -> Origin:
    """The row of the comparison table."""
    where = same(row, "source_paper", "reported_in", "model", "our_method", "modality", "task")
    where |= {f"our_{key}": value for key, value in same(row, "forget_ratio", "split").items()}
    return Origin(("comparison",), where | {"metric": ("accuracy_pct",), "our_file": ("scores.csv",)}, _FROM[column])


def _figure(points: pd.DataFrame, methods: list[str]) -> Figure:
    panels = list(dict.fromkeys(zip(points["model"], points["split"], strict=True)))
    names = in_order(row_order(methods), points["our_method"])
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    width = max(3.2 * columns + 0.4, 6.5)
    figure = new_figure(width, 3.0 * rows + 1.4)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for place, panel in enumerate(axes.flat):
        if place >= len(panels):
            panel.set_axis_off()
            continue
        model, split = panels[place]
        chosen = points[(points["model"] == model) & (points["split"] == split)]
        _panel(panel, chosen, methods)
        panel.set_title(f"{model}, {split}")
        if place + columns >= len(panels):
            panel.set_xlabel("published accuracy, %")
            panel.tick_params(labelbottom=True)
        if place % columns == 0:
            panel.set_ylabel("our accuracy, %")
    handles = [Line2D([], [], linestyle="none", label=name, **_mark(name, "", methods)) for name in names]
    for task, face in (("classification", GREY), (_HOLLOW, "white")):
        if task in set(points["task"]):
            look_of: dict[str, Any] = {
                "marker": "o",
                "markerfacecolor": face,
                "markeredgecolor": GREY,
                "markersize": 6.5,
            }
            handles.append(Line2D([], [], linestyle="none", label=task, **look_of))
    handles.append(Line2D([], [], color=GREY, linestyle="--", label="equal"))
    legend_below(figure, handles, width, wide=1.55)
    counts = points["status"].value_counts(sort=False)
    by_status = "; ".join(f"{count} {status}" for status, count in counts.items())
    heading(figure, TITLE, f"a mark on the dashed line: ours is the published one; {by_status}")
    return figure


def _panel(axes: Axes, points: pd.DataFrame, methods: list[str]) -> None:
    axes.axline((0, 0), slope=1.0, color=GREY, linestyle="--", linewidth=1.0, zorder=1)
    for point in points.to_dict("records"):
        mark = _mark(point["our_method"], point["task"], methods)
        axes.plot(point["published"], point["ours"], linestyle="none", zorder=3, clip_on=False, **mark)
    axes.set_xlim(0, 102)
    axes.set_ylim(0, 102)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_aspect("equal")


def _mark(method: str, task: str, methods: list[str]) -> dict:
    """The look of a marker: lightly filled or hollow, so that points at the same place stay visible."""
    colour, marker = method_mark(method, methods)
    return {
        "marker": marker,
        "markersize": {"*": 10, "d": 7.5}.get(marker, 6),
        "markeredgecolor": colour,
        "markeredgewidth": 1.1,
        "markerfacecolor": "none" if task == _HOLLOW else (*to_rgb(colour), 0.45),
    }
