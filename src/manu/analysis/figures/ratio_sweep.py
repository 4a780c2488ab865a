"""What a prune ratio costs and brings: accuracy on forget and on retain against the share of neurons pruned."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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
    "Classification accuracy, in percent, on the people to be forgotten (circles, solid; lower is better) and on the "
    "people to be kept (squares, dashed; higher is better) for each prune ratio of the ablation, one panel per model "
    "and modality; at 0 % stands vanilla, the model before pruning. The bands are bootstrap intervals over people "
    "(means over seeds); where there are several seeds, the small open marks are the lowest and the highest. The wider "
    "the gap between the lines, the more selective the pruning. Dotted: chance among four options."
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
SPREAD = ("accuracy_lowest", "accuracy_highest")  # columns that follow where there are several seeds
_LINES = {  # split -> colour (dark and mid-grey in print), marker, line
    "forget": ("#332288", "o", "-"),
    "retain": ("#c98a00", "s", "--"),
}


def draw(ablation: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """Figure and its points (COLUMNS, of several seeds SPREAD; percent, means over seeds) from rows of the ablation.

    Shows vanilla and the variants whose name starts with "ratio".
    """
    points = _points(ablation)
    with look():
        if points.empty:
            return message_figure("No variant of the ablation varies the prune ratio."), points
        return _figure(points), points


def _points(ablation: pd.DataFrame) -> pd.DataFrame:
    varied = ablation["method"].astype(str).str.startswith("ratio")
    shown = (varied | (ablation["method"] == "vanilla")) & ablation["split"].isin(list(_LINES))
    chosen = ablation[shown & varied.any()].dropna(subset=["accuracy"])
    numbers = ["accuracy", "ci_low", "ci_high"]
    chosen = chosen.assign(**(100.0 * chosen[numbers].astype("float64")))
    points = over_seeds(chosen, "accuracy")
    order = {"split": list(_LINES), "modality": list(MODALITIES)}
    return points[[*COLUMNS, *(SPREAD if several_seeds(points) else ())]].sort_values(
        ["model", "forget_ratio", "modality", "split", "prune_ratio"],
        key=lambda column: column.map(order[column.name].index) if column.name in order else column,
        kind="stable",
        ignore_index=True,
    )


def origin(row: dict[str, str], column: str) -> Origin | None:
    """The variant's rows of the ablation, one per seed."""
    if column not in ("accuracy", "ci_low", "ci_high", "n", *SPREAD):
        return None
    source = "accuracy" if column in SPREAD else column
    return Origin(("tables",), same(row, "model", "forget_ratio", "method", "split", "modality"), source)


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
    figure.suptitle(f"{TITLE}\nclassification accuracy with bootstrap intervals over people", fontsize=10.5)
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
