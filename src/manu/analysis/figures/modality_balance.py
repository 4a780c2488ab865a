"""Balance of forgetting between the modalities: accuracy on forget with the picture and by name, per method."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import row_order, sort_rows
from manu.analysis.figures.style import (
    CHANCE,
    GREY,
    INK,
    MODALITY_COLOURS,
    SEED_MARK,
    legend_below,
    look,
    message_figure,
    new_figure,
    seed_legend,
)
from manu.analysis.origin import Origin, same
from manu.analysis.seeds import over_seeds, several_seeds

NEEDS = "scores"
TITLE = "Modality balance of forgetting"
CAPTION = (
    "Classification accuracy on the forget set, in percent (lower is better), for questions with the picture (circle) "
    "and for questions by name, in text only (square), with intervals over people. One panel per model and "
    "forget ratio. The number at the right is the modality gap, text minus multimodal, in percentage points: near 0, "
    "forgetting is balanced; far above 0, the model still knows the facts in text. With several seeds, marks and "
    "lines are means, and the small open marks are the lowest and the highest seed. Dotted: chance with four options."
)
COLUMNS = (
    "model",
    "forget_ratio",
    "method",
    "seeds",
    "multimodal_accuracy",
    "multimodal_ci_low",
    "multimodal_ci_high",
    "multimodal_n",
    "text_accuracy",
    "text_ci_low",
    "text_ci_high",
    "text_n",
    "gap_points",
)
SPREAD = (  # further columns if there are several seeds
    "multimodal_accuracy_lowest",
    "multimodal_accuracy_highest",
    "text_accuracy_lowest",
    "text_accuracy_highest",
)
_SHIFT = {"multimodal": -0.14, "text": 0.14}  # vertical shift, so that equal values stay visible
_MARKERS = {"multimodal": "o", "text": "s"}


def draw(scores: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its pairs of marks, from rows of scores.csv.

    The pairs have the columns COLUMNS, and SPREAD if there are several seeds; values in percent, means over seeds.
    gap_points = text_accuracy - multimodal_accuracy.
    Raises ValueError on a method that is neither a reference nor in `methods`.
    """
    pairs = _pairs(scores, methods)
    with look():
        if pairs.empty:
            return message_figure("No classification answers on forget in both modalities."), pairs
        return _figure(pairs, methods), pairs


def _pairs(scores: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    chosen = scores[(scores["task"] == "classification") & (scores["split"] == "forget")]
    means = over_seeds(chosen.rename(columns={"value": "accuracy"}), "accuracy")
    percent = ["accuracy", "accuracy_lowest", "accuracy_highest", "ci_low", "ci_high"]
    means[percent] *= 100.0
    keys = ["model", "forget_ratio", "method", "seeds"]
    sides = [
        means.loc[means["modality"] == modality, [*keys, *percent, "n"]].rename(
            columns={name: f"{modality}_{name}" for name in (*percent, "n")}
        )
        for modality in _SHIFT
    ]
    pairs = sides[0].merge(sides[1], on=keys)
    pairs["gap_points"] = pairs["text_accuracy"] - pairs["multimodal_accuracy"]
    order = row_order(methods)
    return sort_rows(
        pairs[[*COLUMNS, *(SPREAD if several_seeds(pairs) else ())]],
        ["model", "forget_ratio", "method"],
        {"method": order},
    )


def origin(row: dict[str, str], column: str) -> Origin | None:
    """The rows of scores.csv behind a number. The gap has the rows of both modalities."""
    modalities = tuple(modality for modality in _SHIFT if column.startswith(f"{modality}_"))
    if not modalities and column != "gap_points":
        return None
    where = same(row, "model", "forget_ratio", "method")
    where |= {"split": ("forget",), "task": ("classification",), "metric": ("accuracy",)}
    return Origin(("scores",), where | {"modality": modalities or tuple(_SHIFT)}, "value")


def _figure(pairs: pd.DataFrame, methods: list[str]) -> Figure:
    ratios = sorted(set(pairs["forget_ratio"]))
    models = list(dict.fromkeys(pairs["model"]))
    names = [name for name in row_order(methods) if name in set(pairs["method"])]
    # several ratios: one row of panels per model; one ratio: the models side by side
    cells = [[(model, ratio) for ratio in ratios] for model in models]
    if len(ratios) == 1:
        cells = [[(model, ratios[0]) for model in models]]
    rows, columns = len(cells), len(cells[0])
    width = max(2.9 * columns + 1.4, 6.0)
    figure = new_figure(width, (0.29 * len(names) + 0.75) * rows + 1.1)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for row, line in enumerate(cells):
        for column, (model, ratio) in enumerate(line):
            panel = axes[row][column]
            _panel(panel, pairs[(pairs["model"] == model) & (pairs["forget_ratio"] == ratio)], names)
            panel.set_title(f"{model}, forget {ratio} %")
            if row == rows - 1:
                panel.set_xlabel("accuracy on forget, % (lower is better)")
    handles = [
        Line2D([], [], color=MODALITY_COLOURS[modality], marker=_MARKERS[modality], linewidth=1.0, label=label)
        for modality, label in (("multimodal", "with the picture (multimodal)"), ("text", "by name (text)"))
    ]
    handles.append(Line2D([], [], color=GREY, linestyle=":", label=f"chance ({CHANCE:g} %)"))
    handles += seed_legend(pairs)
    legend_below(figure, handles, width, wide=2.5)
    figure.suptitle(f"{TITLE}\nat the right: modality gap in percentage points, text minus multimodal", fontsize=10.5)
    return figure


def _panel(axes: Axes, pairs: pd.DataFrame, names: list[str]) -> None:
    axes.axvline(CHANCE, color=GREY, linestyle=":", linewidth=1.0, zorder=1)
    for pair in pairs.to_dict("records"):
        place = names.index(pair["method"])
        ends = [pair[f"{modality}_accuracy"] for modality in _SHIFT]
        axes.plot(ends, [place + shift for shift in _SHIFT.values()], color=GREY, linewidth=2.2, alpha=0.5, zorder=2)
        for modality, shift in _SHIFT.items():
            value, low, high = (pair[f"{modality}_{name}"] for name in ("accuracy", "ci_low", "ci_high"))
            axes.errorbar(
                value,
                place + shift,
                xerr=[[value - low], [high - value]],
                color=MODALITY_COLOURS[modality],
                marker=_MARKERS[modality],
                markersize=5.5,
                elinewidth=1.0,
                zorder=3,
            )
            if pair["seeds"] > 1:
                ends = [pair[f"{modality}_accuracy_{end}"] for end in ("lowest", "highest")]
                look_of: dict[str, Any] = {"color": MODALITY_COLOURS[modality], "marker": _MARKERS[modality]}
                axes.plot(ends, [place + shift] * 2, **look_of, **SEED_MARK)
        axes.annotate(
            _signed(pair["gap_points"]),
            xy=(1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            fontsize=8.5,
            color=INK,
        )
    axes.set_xlim(-4, 104)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _signed(points: float) -> str:
    """The rounded number of points with its sign; 0 has no sign."""
    whole = round(points)
    return "0" if whole == 0 else f"{whole:+d}".replace("-", "\N{MINUS SIGN}")
