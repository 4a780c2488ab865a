"""Accuracy on forget and on retain against the prune ratio."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import in_percent, sort_rows
from manu.analysis.figures.style import (
    CHANCE,
    GREY,
    SEED_MARK,
    legend_below,
    look,
    message_figure,
    new_figure,
    seed_legend,
)
from manu.analysis.origin import Origin, same
from manu.analysis.seeds import over_seeds, several_seeds
from manu.evaluation.vocabulary import MODALITIES

NEEDS = "ablation"
TITLE = "Accuracy against the prune ratio"
CAPTION = (
    "Classification accuracy, in percent, on the forget set (circles, solid; lower is better) and on the retain set "
    "(squares, dashed; higher is better) at every prune ratio of the ablation. One panel per model and modality; 0 % "
    "is vanilla, the model before pruning. Lines are means over seeds, bands are intervals over people; the "
    "small open marks are the lowest and the highest seed, if there are several. A wide gap between the lines means "
    "selective pruning. Dotted: chance with four options."
)
COLUMNS = (
    "model",
    "forget_ratio",
    "modality",
    "split",
    "method",
    "prune_ratio",
    "seeds",
    "accuracy",
    "ci_low",
    "ci_high",
    "n",
)
SPREAD = ("accuracy_lowest", "accuracy_highest")  # further columns if there are several seeds
_LINES: dict[str, tuple[str, str, Any]] = {  # split -> colour (dark and mid-grey in print), marker, line
    "forget": ("#332288", "o", "-"),
    "retain": ("#c98a00", "s", "--"),
}


def draw(ablation: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its points, from rows of the ablation table: vanilla and the variants named "ratio...".

    The points have the columns COLUMNS, and SPREAD if there are several seeds; values in percent, means over seeds.
    """
    points = _points(ablation)
    with look():
        if points.empty:
            return message_figure("No ablation variant changes the prune ratio."), points
        return _figure(points), points


def _points(ablation: pd.DataFrame) -> pd.DataFrame:
    varied = ablation["method"].astype(str).str.startswith("ratio")
    shown = (varied | (ablation["method"] == "vanilla")) & ablation["split"].isin(list(_LINES))
    chosen = ablation[shown & bool(varied.any())].dropna(subset=["accuracy"])
    numbers = ["accuracy", "ci_low", "ci_high"]
    chosen = in_percent(chosen, numbers)
    points = over_seeds(chosen, "accuracy")
    order = {"split": list(_LINES), "modality": list(MODALITIES)}
    return sort_rows(
        points[[*COLUMNS, *(SPREAD if several_seeds(points) else ())]],
        ["model", "forget_ratio", "modality", "split", "prune_ratio"],
        order,
    )


def origin(row: dict[str, str], column: str) -> Origin | None:
    """The variant's rows of the ablation table, one per seed."""
    if column not in ("accuracy", "ci_low", "ci_high", "n", *SPREAD):
        return None
    source = "accuracy" if column in SPREAD else column
    return Origin(("ablation",), same(row, "model", "forget_ratio", "method", "split", "modality"), source)


def _figure(points: pd.DataFrame) -> Figure:
    modalities = [modality for modality in MODALITIES if modality in set(points["modality"])]
    lines = list(dict.fromkeys(zip(points["model"], points["forget_ratio"], strict=True)))
    rows, columns = len(lines), len(modalities)
    width = max(3.3 * columns + 0.5, 6.5)
    figure = new_figure(width, 2.4 * rows + 1.2)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for row, (model, ratio) in enumerate(lines):
        for column, modality in enumerate(modalities):
            panel = axes[row][column]
            here = (points["model"] == model) & (points["forget_ratio"] == ratio) & (points["modality"] == modality)
            _panel(panel, points[here])
            panel.set_title(f"{model}, {modality}, forget {ratio} %")
            if row == rows - 1:
                panel.set_xlabel("prune ratio, %")
            if column == 0:
                panel.set_ylabel("accuracy, %")
    labels = {"forget": "forget (lower is better)", "retain": "retain (higher is better)"}
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle=style, markersize=4.5, label=labels[split])
        for split, (colour, marker, style) in _LINES.items()
    ]
    handles.append(Line2D([], [], color=GREY, linestyle=":", label=f"chance ({CHANCE:g} %)"))
    handles += seed_legend(points)
    legend_below(figure, handles, width, wide=2.0)
    figure.suptitle(f"{TITLE}\nclassification accuracy with intervals over people", fontsize=10.5)
    return figure


def _panel(axes: Axes, points: pd.DataFrame) -> None:
    axes.axhline(CHANCE, color=GREY, linestyle=":", linewidth=1.0, zorder=1)
    for split, (colour, marker, style) in _LINES.items():
        line = points[points["split"] == split]
        ratios = line["prune_ratio"].to_numpy("float64")
        low, high = line["ci_low"].to_numpy(), line["ci_high"].to_numpy()
        axes.fill_between(ratios, low, high, color=colour, alpha=0.18, linewidth=0, zorder=2)
        axes.plot(
            ratios,
            line["accuracy"],
            color=colour,
            marker=marker,
            linestyle=style,
            linewidth=1.4,
            markersize=5.5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=3,
        )
        if several_seeds(line):
            for name in SPREAD:
                axes.plot(ratios, line[name], color=colour, marker=marker, **SEED_MARK)
    axes.set_ylim(-4, 104)
