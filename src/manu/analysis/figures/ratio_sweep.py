"""Accuracy on forget and on retain against the prune ratio."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import in_order
from manu.analysis.figures.style import (
    CHANCE,
    GREY,
    SEED_MARK,
    chance_legend,
    drawn,
    heading,
    legend_below,
    panel_grid,
    seed_legend,
)
from manu.analysis.origin import over_seeds_from
from manu.analysis.seeds import percent_over_seeds, several_seeds
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
_KEYS = ("model", "forget_ratio", "modality", "split", "method")
COLUMNS = (*_KEYS, "prune_ratio", "seeds", "accuracy", "ci_low", "ci_high", "n")
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
    return drawn(points, "No ablation variant changes the prune ratio.", lambda: _figure(points))


def _points(ablation: pd.DataFrame) -> pd.DataFrame:
    varied = ablation["method"].astype(str).str.startswith("ratio")
    shown = (varied | (ablation["method"] == "vanilla")) & ablation["split"].isin(list(_LINES))
    chosen = ablation[shown & bool(varied.any())].dropna(subset=["accuracy"])
    order = {"split": list(_LINES), "modality": list(MODALITIES)}
    return percent_over_seeds(chosen, "accuracy", COLUMNS, [*_KEYS[:-1], "prune_ratio"], order, SPREAD)


origin = over_seeds_from(NEEDS, _KEYS, value="accuracy", of="accuracy")


def _figure(points: pd.DataFrame) -> Figure:
    modalities = in_order(MODALITIES, points["modality"])
    lines = list(dict.fromkeys(zip(points["model"], points["forget_ratio"], strict=True)))
    width = max(3.3 * len(modalities) + 0.5, 6.5)
    size, labels = (width, 2.4 * len(lines) + 1.2), ("prune ratio, %", "accuracy, %")
    grid = [[(*line, modality) for modality in modalities] for line in lines]
    figure, panels = panel_grid(points, ("model", "forget_ratio", "modality"), grid, size, labels)
    for panel, (model, ratio, modality), here in panels:
        _panel(panel, here)
        panel.set_title(f"{model}, {modality}, forget {ratio} %")
    said = {"forget": "forget (lower is better)", "retain": "retain (higher is better)"}
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle=style, markersize=4.5, label=said[split])
        for split, (colour, marker, style) in _LINES.items()
    ]
    legend_below(figure, [*handles, chance_legend(), *seed_legend(points)], width, wide=2.0)
    heading(figure, TITLE, "classification accuracy with intervals over people")
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
