"""Selectivity of every ablation variant: accuracy on retain minus accuracy on forget."""

import re
from collections import Counter
from itertools import groupby

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import in_order
from manu.analysis.figures.style import (
    FAINT,
    GREY,
    INK,
    SEED_MARK,
    drawn,
    heading,
    legend_below,
    panel_grid,
    seed_legend,
)
from manu.analysis.origin import over_seeds_from
from manu.analysis.seeds import percent_over_seeds
from manu.analysis.tables.ablation import SELECTIVITY
from manu.evaluation.vocabulary import MODALITIES

NEEDS = "ablation"
TITLE = "Selectivity of the ablation variants"
CAPTION = (
    "Selectivity of every ablation variant: classification accuracy on the retain set minus classification accuracy "
    "on the forget set, in percentage points. Further right is better; at 0 (solid line) pruning affects both sets "
    "equally. One panel per model and modality. Dots are means over seeds, with intervals over people. "
    "Dashed line and band: vanilla, the model before pruning, with its interval. Small open marks: lowest and highest "
    "seed, if there are several. A prune ratio in brackets after a name differs from the usual one."
)
_KEYS = ("model", "forget_ratio", "modality", "method")
COLUMNS = (*_KEYS, "prune_ratio", "seeds", "selectivity_points", "ci_low", "ci_high", "n")
SPREAD = ("selectivity_points_lowest", "selectivity_points_highest")  # further columns if there are several seeds
DOT = "#332288"
_BAND = "#f4f4f4"  # background of every other group of variants


def draw(ablation: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its dots, from rows of the ablation table.

    The dots have the columns COLUMNS, and SPREAD if there are several seeds; values in percentage points, means over
    seeds. The rows of vanilla are drawn as dashed lines.
    """
    dots = _dots(ablation)
    dots = dots.head(0) if (dots["method"] == "vanilla").all() else dots
    return drawn(dots, "No ablation variant has answers on both forget and retain.", lambda: _figure(dots))


def _dots(ablation: pd.DataFrame) -> pd.DataFrame:
    chosen = ablation[ablation["split"] == SELECTIVITY].dropna(subset=["accuracy"])
    chosen = chosen.rename(columns={"accuracy": "selectivity_points"})
    order = {"method": list(dict.fromkeys(ablation["method"])), "modality": list(MODALITIES)}
    return percent_over_seeds(chosen, "selectivity_points", COLUMNS, _KEYS, order, SPREAD)


origin = over_seeds_from(NEEDS, _KEYS, value="selectivity_points", of="accuracy", fixed={"split": (SELECTIVITY,)})


def _figure(dots: pd.DataFrame) -> Figure:
    ratios = sorted(set(dots["forget_ratio"]))
    modalities = in_order(MODALITIES, dots["modality"])
    across = [(model, modality) for model in dict.fromkeys(dots["model"]) for modality in modalities]
    variants = dots[dots["method"] != "vanilla"]
    pruned = variants.drop_duplicates("method").set_index("method")["prune_ratio"]
    names = list(pruned.index)
    usual = Counter(pruned).most_common(1)[0][0]
    labels = [name if pruned[name] == usual else f"{name} ({pruned[name]:g} %)" for name in names]
    width = max(2.1 * len(across) + 1.7, 6.5)
    size = width, (0.2 * len(names) + 0.75) * len(ratios) + 1.1
    grid = [[(ratio, *place) for place in across] for ratio in ratios]
    keys, below = ("forget_ratio", "model", "modality"), "retain minus forget,\npercentage points"
    figure, panels = panel_grid(dots, keys, grid, size, (below, ""))
    for panel, (ratio, model, modality), here in panels:
        _panel(panel, here, names, labels)
        panel.set_title(f"{model}, {modality}\nforget {ratio} %")
    handles = [
        Line2D([], [], color=DOT, marker="o", markersize=5, linewidth=1.1, label="variant with interval"),
        Line2D([], [], color=GREY, linewidth=1.2, label="0: affects both equally"),
    ]
    if len(variants) < len(dots):
        handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.2, label="vanilla (band: interval)"))
    handles += seed_legend(dots)
    legend_below(figure, handles, width, wide=2.2)
    heading(figure, TITLE, f"prune ratio {usual:g} % unless given; further right is better")
    return figure


def _panel(axes: Axes, dots: pd.DataFrame, names: list[str], labels: list[str]) -> None:
    first = 0
    for place, group in enumerate(_groups(names)):
        if place % 2 == 0:
            axes.axhspan(first - 0.5, first + len(group) - 0.5, color=_BAND, linewidth=0, zorder=0)
        first += len(group)
    axes.axvline(0.0, color=GREY, linewidth=1.2, zorder=1)
    for dot in dots.to_dict("records"):
        low, value, high = dot["ci_low"], dot["selectivity_points"], dot["ci_high"]
        if dot["method"] == "vanilla":
            axes.axvspan(low, high, color=FAINT, alpha=0.6, linewidth=0, zorder=0.5)
            axes.axvline(value, color=INK, linestyle="--", linewidth=1.2, zorder=2)
            continue
        place = names.index(dot["method"])
        axes.errorbar(
            value,
            place,
            xerr=[[max(value - low, 0.0)], [max(high - value, 0.0)]],
            color=DOT,
            marker="o",
            markersize=4.5,
            elinewidth=1.1,
            zorder=3,
        )
        if dot["seeds"] > 1:
            ends = [dot[name] for name in SPREAD]
            axes.plot(ends, [place, place], color=DOT, marker="o", **SEED_MARK)
    axes.set_yticks(range(len(names)), labels)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def _groups(names: list[str]) -> list[list[str]]:
    """Groups of neighbouring variants: those with the same first word, and runs of variants with unique first words."""

    def start(name: str) -> str:
        return re.split(r"[\d_]", name)[0]

    counts = Counter(key for key, _ in groupby(names, start) for _ in _)
    return [list(group) for _, group in groupby(names, lambda name: start(name) if counts[start(name)] > 1 else "")]
