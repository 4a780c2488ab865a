"""Balance of forgetting between the modalities: accuracy on forget with the picture and by name, per method."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import in_order, row_order, sort_rows
from manu.analysis.figures.style import (
    CHANCE,
    GREY,
    INK,
    MODALITY_COLOURS,
    SEED_MARK,
    chance_legend,
    drawn,
    heading,
    legend_below,
    panel_grid,
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
    *("model", "forget_ratio", "method", "seeds"),
    *(f"{modality}_{name}" for modality in MODALITY_COLOURS for name in ("accuracy", "ci_low", "ci_high", "n")),
    "gap_points",
)
# further columns if there are several seeds
SPREAD = tuple(f"{modality}_accuracy_{end}" for modality in MODALITY_COLOURS for end in ("lowest", "highest"))
_SHIFT = {"multimodal": -0.14, "text": 0.14}  # vertical shift, so that equal values stay visible
_MARKERS = {"multimodal": "o", "text": "s"}


def draw(scores: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its pairs of marks, from rows of scores.csv.

    The pairs have the columns COLUMNS, and SPREAD if there are several seeds; values in percent, means over seeds.
    gap_points = text_accuracy - multimodal_accuracy.
    Raises ValueError on a method that is neither a reference nor in `methods`.
    """
    pairs = _pairs(scores, methods)
    return drawn(pairs, "No classification answers on forget in both modalities.", lambda: _figure(pairs, methods))


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
    shown = pairs[[*COLUMNS, *(SPREAD if several_seeds(pairs) else ())]]
    return sort_rows(shown, ["model", "forget_ratio", "method"], {"method": row_order(methods)})


def origin(row: dict[str, str], column: str) -> Origin:
    """The rows of scores.csv behind a number. The gap has the rows of both modalities."""
    modalities = tuple(modality for modality in _SHIFT if column.startswith(f"{modality}_"))
    where = same(row, "model", "forget_ratio", "method")
    where |= {"split": ("forget",), "task": ("classification",), "metric": ("accuracy",)}
    return Origin(("scores",), where | {"modality": modalities or tuple(_SHIFT)}, "value")


def _figure(pairs: pd.DataFrame, methods: list[str]) -> Figure:
    ratios = sorted(set(pairs["forget_ratio"]))
    models = list(dict.fromkeys(pairs["model"]))
    names = in_order(row_order(methods), pairs["method"])
    # several ratios: one row of panels per model; one ratio: the models side by side
    grid = [[(model, ratio) for ratio in ratios] for model in models]
    if len(ratios) == 1:
        grid = [[(model, ratios[0]) for model in models]]
    width = max(2.9 * len(grid[0]) + 1.4, 6.0)
    size = width, (0.29 * len(names) + 0.75) * len(grid) + 1.1
    below = "accuracy on forget, % (lower is better)"
    figure, panels = panel_grid(pairs, ("model", "forget_ratio"), grid, size, (below, ""))
    for panel, (model, ratio), here in panels:
        _panel(panel, here, names)
        panel.set_title(f"{model}, forget {ratio} %")
    handles = [
        Line2D([], [], color=MODALITY_COLOURS[modality], marker=_MARKERS[modality], linewidth=1.0, label=label)
        for modality, label in (("multimodal", "with the picture (multimodal)"), ("text", "by name (text)"))
    ]
    legend_below(figure, [*handles, chance_legend(), *seed_legend(pairs)], width, wide=2.5)
    heading(figure, TITLE, "at the right: modality gap in percentage points, text minus multimodal")
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
