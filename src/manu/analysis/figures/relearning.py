"""Relearning: accuracy on forgotten people while an attacker trains the unlearned model on other people."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.attacks import steps_of
from manu.analysis.cells import in_order, row_order
from manu.analysis.figures.style import CHANCE, GREY, chance_legend, drawn, legend_below, method_mark, panel_grid
from manu.analysis.origin import over_seeds_from, select
from manu.analysis.seeds import percent_over_seeds
from manu.evaluation.vocabulary import MODALITIES, REFERENCES

NEEDS = "robustness"
TITLE = "Relearning attack"
CAPTION = (
    "Classification accuracy, in percent, on forgotten people while an attacker trains the model on data about other "
    "people, either from the forget set or from the retain set. Means over seeds; the intervals over people are in the "
    "table. Knowledge that was only hidden returns. retain_only never saw these people: its line shows what the "
    "attacker's data teaches by itself. Of the methods, the seven that forget most before the attack are shown; the "
    "table has all. Dotted: chance with four options."
)
_KEYS = ("model", "forget_ratio", "lessons", "modality", "method")
COLUMNS = (*_KEYS, "condition", "steps", "seeds", "accuracy", "ci_low", "ci_high", "n")
_MOST = 7  # methods; more lines cannot be told apart
_ATTACK = {"attack": ("relearning",), "metric": ("accuracy",)}


def draw(robustness: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its points (COLUMNS, percent, means over seeds), from rows of robustness.csv.

    Raises ValueError on a method that is neither a reference nor in `methods`.
    """
    points = _points(robustness, methods)
    return drawn(points, "No relearning attack in this study.", lambda: _figure(points, methods))


def _points(robustness: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    chosen = select(robustness, _ATTACK)
    chosen = chosen.rename(columns={"value": "accuracy"}).assign(
        steps=chosen["condition"].map(steps_of).astype("int64"),
        lessons=chosen["condition"].map(lambda condition: condition.partition(" ")[0]),
    )
    order = {"method": row_order(methods), "modality": list(MODALITIES)}
    points = percent_over_seeds(chosen, "accuracy", COLUMNS, [*_KEYS, "steps"], order)
    before = points[(points["steps"] == 0) & ~points["method"].isin(REFERENCES)]
    known = before.groupby("method", sort=False)["accuracy"].mean().sort_values(kind="stable")
    return points[points["method"].isin(["retain_only", *known.index[:_MOST]])].reset_index(drop=True)


_ROW = ("model", "forget_ratio", "method", "condition", "modality")  # of robustness.csv
origin = over_seeds_from(NEEDS, _ROW, value="accuracy", of="value", fixed=_ATTACK)


def _figure(points: pd.DataFrame, methods: list[str]) -> Figure:
    modalities, keys = in_order(MODALITIES, points["modality"]), ["model", "forget_ratio", "lessons"]
    lines = list(points[keys].drop_duplicates().itertuples(index=False, name=None))
    width = max(3.3 * len(modalities) + 0.5, 6.5)
    grid = [[(*line, modality) for modality in modalities] for line in lines]
    size, below = (width, 2.3 * len(lines) + 1.2), "training steps (not to scale)"
    figure, panels = panel_grid(points, [*keys, "modality"], grid, size, (below, ""))
    looks, steps = _looks(points, methods), sorted(points["steps"].unique())
    for panel, (model, ratio, lessons, modality), here in panels:
        _panel(panel, here, looks, steps)
        panel.set_title(f"{model}, {modality}, trained on {lessons}")
        if modality == modalities[0]:
            panel.set_ylabel(f"accuracy, %\nforget {ratio} %")
    handles = [Line2D([], [], **look, label=method) for method, look in looks.items()]
    legend_below(figure, [*handles, chance_legend()], width)
    figure.suptitle(f"{TITLE}: accuracy on forgotten people who are not in the training data", fontsize=10.5)
    return figure


def _looks(points: pd.DataFrame, methods: list[str]) -> dict[str, dict]:
    """Method -> look of its line, in the order of the tables' rows. A second method of the same colour is dashed."""
    looks: dict[str, dict] = {}
    for method in in_order(row_order(methods), points["method"]):
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
