"""Relearning: accuracy on forgotten people while an attacker trains the unlearned model on other people."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.attacks import steps_of
from manu.analysis.cells import in_percent, row_order, sort_rows
from manu.analysis.figures.style import CHANCE, GREY, legend_below, look, message_figure, method_mark, new_figure
from manu.analysis.origin import Origin, same
from manu.analysis.seeds import over_seeds
from manu.evaluation.vocabulary import MODALITIES

NEEDS = "robustness"
TITLE = "Relearning attack"
CAPTION = (
    "Classification accuracy, in percent, on forgotten people while an attacker trains the model on data about other "
    "people, either from the forget set or from the retain set. Means over seeds; the intervals over people are in the "
    "table. Knowledge that was only hidden returns. retain_only never saw these people: its line shows what the "
    "attacker's data teaches by itself. Dotted: chance with four options."
)
COLUMNS = (
    "model",
    "forget_ratio",
    "lessons",
    "modality",
    "method",
    "condition",
    "steps",
    "seeds",
    "accuracy",
    "ci_low",
    "ci_high",
    "n",
)
_NUMBERS = ("accuracy", "ci_low", "ci_high")


def draw(robustness: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its points (COLUMNS, percent, means over seeds), from rows of robustness.csv.

    Raises ValueError on a method that is neither a reference nor in `methods`.
    """
    points = _points(robustness, methods)
    with look():
        if points.empty:
            return message_figure("No relearning attack in this study."), points
        return _figure(points, methods), points


def _points(robustness: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    chosen = robustness[(robustness["attack"] == "relearning") & (robustness["metric"] == "accuracy")]
    chosen = chosen.rename(columns={"value": "accuracy"})
    chosen = in_percent(chosen, _NUMBERS).assign(
        steps=chosen["condition"].map(steps_of).astype("int64"),
        lessons=chosen["condition"].map(lambda condition: condition.partition(" ")[0]),
    )
    order = {"method": row_order(methods), "modality": list(MODALITIES)}
    return sort_rows(
        over_seeds(chosen, "accuracy")[list(COLUMNS)],
        ["model", "forget_ratio", "lessons", "modality", "method", "steps"],
        order,
    )


def origin(row: dict[str, str], column: str) -> Origin | None:
    """The rows of robustness.csv, one per seed."""
    if column not in (*_NUMBERS, "n"):
        return None
    source = "value" if column == "accuracy" else column
    keys = ("model", "forget_ratio", "method", "condition", "modality")
    return Origin(("robustness",), same(row, *keys) | {"attack": ("relearning",)}, source)


def _figure(points: pd.DataFrame, methods: list[str]) -> Figure:
    modalities = [modality for modality in MODALITIES if modality in set(points["modality"])]
    keys = ["model", "forget_ratio", "lessons"]
    lines = list(points[keys].drop_duplicates().itertuples(index=False, name=None))
    width = max(3.3 * len(modalities) + 0.5, 6.5)
    figure = new_figure(width, 2.3 * len(lines) + 1.2)
    axes = figure.subplots(len(lines), len(modalities), squeeze=False, sharex=True, sharey=True)
    looks, steps = _looks(points, methods), sorted(points["steps"].unique())
    for row, line in enumerate(lines):
        for column, modality in enumerate(modalities):
            panel = axes[row][column]
            here = (points[keys] == list(line)).all(axis=1) & (points["modality"] == modality)
            _panel(panel, points[here], looks, steps)
            model, ratio, lessons = line
            panel.set_title(f"{model}, {modality}, trained on {lessons}")
            if row == len(lines) - 1:
                panel.set_xlabel("training steps (not to scale)")
            if column == 0:
                panel.set_ylabel(f"accuracy, %\nforget {ratio} %")
    handles = [Line2D([], [], **look, label=method) for method, look in looks.items()]
    handles.append(Line2D([], [], color=GREY, linestyle=":", label=f"chance ({CHANCE:g} %)"))
    legend_below(figure, handles, width)
    figure.suptitle(f"{TITLE}: accuracy on forgotten people who are not in the training data", fontsize=10.5)
    return figure


def _looks(points: pd.DataFrame, methods: list[str]) -> dict[str, dict]:
    """Method -> look of its line, in the order of the tables' rows. A second method of the same colour is dashed."""
    looks: dict[str, dict] = {}
    for method in (name for name in row_order(methods) if name in set(points["method"])):
        colour, marker = method_mark(method, methods)
        taken = any(colour == other["color"] for other in looks.values())
        looks[method] = {
            "color": colour,
            "marker": marker,
            "linestyle": "--" if taken else "-",
            "linewidth": 1.3,
            "markersize": 6,
            "markeredgecolor": "white",
            "markeredgewidth": 0.4,
        }
    return looks


def _panel(axes: Axes, points: pd.DataFrame, looks: dict[str, dict], steps: list[int]) -> None:
    """Draw one panel with the steps evenly spaced, because the first steps are close together."""
    axes.axhline(CHANCE, color=GREY, linestyle=":", linewidth=1.0, zorder=1)
    for method, line in points.groupby("method", sort=False):
        axes.plot(line["steps"].map(steps.index), line["accuracy"], **looks[str(method)], zorder=3)
    axes.set_xticks(range(len(steps)), [str(step) for step in steps])
    axes.set_ylim(-4, 104)
