"""Selectivity of every ablation variant: accuracy on retain minus accuracy on forget."""

import re
from collections import Counter
from itertools import groupby

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import in_percent, sort_rows
from manu.analysis.figures.style import (
    FAINT,
    GREY,
    INK,
    SEED_MARK,
    legend_below,
    look,
    message_figure,
    new_figure,
    seed_legend,
)
from manu.analysis.origin import Origin, same
from manu.analysis.seeds import over_seeds, several_seeds
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
COLUMNS = (
    "model",
    "forget_ratio",
    "modality",
    "method",
    "prune_ratio",
    "seeds",
    "selectivity_points",
    "ci_low",
    "ci_high",
    "n",
)
SPREAD = ("selectivity_points_lowest", "selectivity_points_highest")  # further columns if there are several seeds
DOT = "#332288"
_BAND = "#f4f4f4"  # background of every other group of variants


def draw(ablation: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its dots, from rows of the ablation table.

    The dots have the columns COLUMNS, and SPREAD if there are several seeds; values in percentage points, means over
    seeds. The rows of vanilla are drawn as dashed lines.
    """
    dots = _dots(ablation)
    with look():
        if (dots["method"] == "vanilla").all():
            return message_figure("No ablation variant has answers on both forget and retain."), dots.head(0)
        return _figure(dots), dots


def _dots(ablation: pd.DataFrame) -> pd.DataFrame:
    chosen = ablation[ablation["split"] == SELECTIVITY].dropna(subset=["accuracy"])
    chosen = chosen.rename(columns={"accuracy": "selectivity_points"})
    numbers = ["selectivity_points", "ci_low", "ci_high"]
    chosen = in_percent(chosen, numbers)
    dots = over_seeds(chosen, "selectivity_points")
    order = {"method": list(dict.fromkeys(ablation["method"])), "modality": list(MODALITIES)}
    return sort_rows(
        dots[[*COLUMNS, *(SPREAD if several_seeds(dots) else ())]],
        ["model", "forget_ratio", "modality", "method"],
        order,
    )


def origin(row: dict[str, str], column: str) -> Origin | None:
    """The variant's rows "retain minus forget" of the ablation table, one per seed."""
    if column not in ("selectivity_points", "ci_low", "ci_high", "n", *SPREAD):
        return None
    where = same(row, "model", "forget_ratio", "method", "modality") | {"split": (SELECTIVITY,)}
    return Origin(("ablation",), where, column if column in ("ci_low", "ci_high", "n") else "accuracy")


def _figure(dots: pd.DataFrame) -> Figure:
    ratios = sorted(set(dots["forget_ratio"]))
    modalities = [modality for modality in MODALITIES if modality in set(dots["modality"])]
    across = [(model, modality) for model in dict.fromkeys(dots["model"]) for modality in modalities]
    variants = dots[dots["method"] != "vanilla"]
    pruned = variants.drop_duplicates("method").set_index("method")["prune_ratio"]
    names = list(pruned.index)
    usual = Counter(pruned).most_common(1)[0][0]
    labels = [name if pruned[name] == usual else f"{name} ({pruned[name]:g} %)" for name in names]
    width = max(2.1 * len(across) + 1.7, 6.5)
    figure = new_figure(width, (0.2 * len(names) + 0.75) * len(ratios) + 1.1)
    axes = figure.subplots(len(ratios), len(across), squeeze=False, sharex=True, sharey=True)
    for row, ratio in enumerate(ratios):
        for column, (model, modality) in enumerate(across):
            panel = axes[row][column]
            here = (dots["model"] == model) & (dots["forget_ratio"] == ratio) & (dots["modality"] == modality)
            _panel(panel, dots[here], names, labels)
            panel.set_title(f"{model}, {modality}\nforget {ratio} %")
            if row == len(ratios) - 1:
                panel.set_xlabel("retain minus forget,\npercentage points")
    handles = [
        Line2D([], [], color=DOT, marker="o", markersize=5, linewidth=1.1, label="variant with interval"),
        Line2D([], [], color=GREY, linewidth=1.2, label="0: affects both equally"),
    ]
    if len(variants) < len(dots):
        handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.2, label="vanilla (band: interval)"))
    handles += seed_legend(dots)
    legend_below(figure, handles, width, wide=2.2)
    subtitle = f"prune ratio {usual:g} % unless given; further right is better"
    figure.suptitle(f"{TITLE}\n{subtitle}", fontsize=10.5)
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
