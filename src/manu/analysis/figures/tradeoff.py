"""Trade-off between forgetting and retaining."""

from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle, Wedge

from manu.analysis.cells import in_order, row_order, sort_rows
from manu.analysis.figures.style import (
    CHANCE,
    GREY,
    INK,
    chance_legend,
    drawn,
    heading,
    legend_below,
    method_mark,
    panel_grid,
)
from manu.analysis.origin import Origin, same
from manu.analysis.pareto import on_front
from manu.analysis.seeds import over_seeds, several_seeds
from manu.evaluation.vocabulary import MODALITIES, REFERENCES

NEEDS = "scores"
TITLE = "Forgetting against retaining"
CAPTION = (
    "Classification accuracy on the forget set (x, lower is better) against accuracy on the retain set (y, higher is "
    "better), in percent. One panel per model, modality and forget ratio; lines are intervals over people. "
    "Up and to the left is better (green: the ideal corner); retain_only, which never saw the forget set, shows the "
    "best possible result. Solid steps: the Pareto front, through the methods that no other method dominates; a "
    "method dominates another if it is at most as accurate on forget and at least as accurate on retain, and differs "
    "in one of them. Intervals do not count. Dotted: chance with four options. With several seeds, marks and "
    "intervals are means, and a box reaches from the lowest to the highest seed."
)
IDEAL = "#d5ecd9"  # the best corner, pale green
_KEYS = ("model", "forget_ratio", "modality", "method")
COLUMNS = (
    *(*_KEYS, "seeds"),
    *(f"{split}_{name}" for split in ("forget", "retain") for name in ("accuracy", "ci_low", "ci_high", "n")),
    "on_front",
)
# further columns if there are several seeds
SPREAD = ("forget_lowest", "forget_highest", "retain_lowest", "retain_highest")


def draw(scores: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its points, from rows of scores.csv.

    The points have the columns COLUMNS, and SPREAD if there are several seeds; values in percent, means over seeds.
    on_front: "yes" if a method is on the Pareto front of its panel, else "no"; empty for the reference models.
    Raises ValueError on a method that is neither a reference nor in `methods`.
    """
    points = _points(scores, methods)
    return drawn(points, "No classification answers on both forget and retain.", lambda: _figure(points, methods))


def _points(scores: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    chosen = scores[(scores["task"] == "classification") & scores["split"].isin(["forget", "retain"])]
    means = over_seeds(chosen)
    columns = (*COLUMNS, *SPREAD) if several_seeds(means) else COLUMNS
    keys = [*_KEYS, "seeds"]
    sides = []
    for split in ("forget", "retain"):
        names = {"value": "accuracy", "ci_low": "ci_low", "ci_high": "ci_high"}
        names |= {"value_lowest": "lowest", "value_highest": "highest"}
        side = means.loc[means["split"] == split, [*keys, *names, "n"]]
        side[[*names]] *= 100.0
        names |= {"n": "n"}
        sides.append(side.rename(columns={old: f"{split}_{new}" for old, new in names.items()}))
    points = sides[0].merge(sides[1], on=keys)
    points = points.assign(on_front="")[list(columns)]
    for _, panel in points[~points["method"].isin(REFERENCES)].groupby(list(_KEYS[:3])):
        front = on_front(panel["forget_accuracy"].tolist(), panel["retain_accuracy"].tolist())
        points.loc[panel.index, "on_front"] = ["yes" if on else "no" for on in front]
    order = {"method": row_order(methods), "modality": list(MODALITIES)}
    return sort_rows(points, _KEYS, order)


def origin(row: dict[str, str], column: str) -> Origin:
    """The rows of scores.csv behind a number, one per seed."""
    split = {"split": (column.partition("_")[0],)}
    return Origin((NEEDS,), same(row, *_KEYS) | split | {"task": ("classification",), "metric": ("accuracy",)}, "value")


def _figure(points: pd.DataFrame, methods: list[str]) -> Figure:
    ratios = sorted(set(points["forget_ratio"]))
    modalities = in_order(MODALITIES, points["modality"])
    models = list(dict.fromkeys(points["model"]))
    if len(ratios) > 1:  # one column per ratio, one row per model and modality
        grid = [[(model, ratio, modality) for ratio in ratios] for model in models for modality in modalities]
    else:
        grid = [[(model, ratios[0], modality) for modality in modalities] for model in models]
    present = in_order(row_order(methods), points["method"])
    width = max(2.8 * len(grid[0]) + 0.5, 6.5)
    labels = "accuracy on forget, % (lower is better)", "accuracy on retain, %"
    keys, size = ("model", "forget_ratio", "modality"), (width, 2.45 * len(grid) + 1.3)
    figure, panels = panel_grid(points, keys, grid, size, labels)
    low_y = min(points["retain_ci_low"].min(), 75.0)
    for panel, (model, ratio, modality), here in panels:
        _panel(panel, here, methods)
        panel.set_title(f"{model}, {modality}, forget {ratio} %")
        panel.set_xlim(-4, 104)
        panel.set_ylim(low_y - 4, 104)
    handles: list[Artist] = [Line2D([], [], linestyle="none", label=name, **_mark(name, methods)) for name in present]
    handles.append(Line2D([], [], color=INK, linewidth=0.8, label="Pareto front of the methods"))
    handles.append(chance_legend())
    handles.append(Patch(color=IDEAL, label="ideal: forgets and retains"))
    if several_seeds(points):
        handles.append(Patch(edgecolor=INK, facecolor="none", linewidth=0.7, label="lowest to highest seed"))
    legend_below(figure, handles, width, wide=1.75)
    heading(figure, TITLE, "classification accuracy with intervals over people")
    return figure


def _panel(axes: Axes, points: pd.DataFrame, methods: list[str]) -> None:
    axes.axvline(CHANCE, color=GREY, linestyle=":", linewidth=1.0, zorder=1)
    axes.add_patch(Wedge((0, 1), 0.22, 270, 360, transform=axes.transAxes, color=IDEAL, zorder=0))
    _front(axes, points[points["on_front"] == "yes"])
    for point in points.to_dict("records"):
        colour, _ = method_mark(point["method"], methods)
        x, y = point["forget_accuracy"], point["retain_accuracy"]
        axes.errorbar(
            x,
            y,
            xerr=[[x - point["forget_ci_low"]], [point["forget_ci_high"] - x]],
            yerr=[[y - point["retain_ci_low"]], [point["retain_ci_high"] - y]],
            fmt="none",
            ecolor=colour,
            elinewidth=0.8,
            alpha=0.45,
            zorder=2,
        )
        if point["seeds"] > 1:
            corner = point["forget_lowest"], point["retain_lowest"]
            width, height = point["forget_highest"] - corner[0], point["retain_highest"] - corner[1]
            box_look: dict[str, Any] = {"edgecolor": colour, "facecolor": "none", "linewidth": 0.7, "alpha": 0.8}
            axes.add_patch(Rectangle(corner, width, height, **box_look, zorder=2.5))
        axes.plot(x, y, linestyle="none", zorder=3, **_mark(point["method"], methods))


def _front(axes: Axes, front: pd.DataFrame) -> None:
    """Draw the Pareto front as steps to the edges of the panel. Points below and to the right are dominated."""
    front = front.sort_values(["forget_accuracy", "retain_accuracy"])
    across, up = front["forget_accuracy"].tolist(), front["retain_accuracy"].tolist()
    if across:
        across, up = [across[0], *across, 200.0], [-100.0, *up, up[-1]]  # percent, beyond the axes
        axes.plot(across, up, color=INK, linewidth=0.8, drawstyle="steps-post", zorder=1.5)


def _mark(method: str, methods: list[str]) -> dict:
    """The look of a marker: lightly filled, so that points at the same place stay visible."""
    colour, marker = method_mark(method, methods)
    return {
        "marker": marker,
        "markersize": {"*": 12, "d": 9}.get(marker, 7),
        "markeredgecolor": colour,
        "markeredgewidth": 1.3,
        "markerfacecolor": (*to_rgb(colour), 0.35),
    }
