"""Pruned neurons per layer: their number and their share of the layer."""

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from manu.analysis.cells import in_order, row_order, sort_rows
from manu.analysis.figures.style import GREY, PART_COLOURS, drawn, heading, legend_below, panel_grid
from manu.analysis.origin import From, origins
from manu.analysis.seeds import over_seeds

NEEDS = "masks"
TITLE = "Neurons pruned per layer"
CAPTION = (
    "Share of the units of a layer that a pruning method sets to zero, in percent; the number above a bar is the count "
    "(only in panels with few bars). One panel per model, method and forget ratio; means over seeds. A unit is an "
    "input of the MLP's second linear layer (a neuron) or, for methods that prune like the released code, an output "
    "row of a linear layer; the labels then name the linear layer as well. Dashed: the share over all layers shown."
)
_KEYS = ("model", "forget_ratio", "method", "unit", "site", "part", "layer")
COLUMNS = (*_KEYS, "seeds", "pruned", "width", "pruned_percent")
_UNITS = {"mlp_input": "neurons", "linear_output": "rows"}
_MOST_LABELS = 18  # layers; a panel with more shows no counts and fewer labels


def draw(pruned: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its bars (COLUMNS), from the sites of the masks (manu.analysis.pruned.PRUNED_COLUMNS).

    pruned: mean count over seeds. Raises ValueError on a method that is not in `methods`.
    """
    bars = _bars(pruned, methods)
    return drawn(bars, "No method of this study prunes.", lambda: _figure(bars, methods))


def _bars(pruned: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    bars = over_seeds(pruned, "pruned", _KEYS)
    bars["width"] = pruned.groupby(list(_KEYS), sort=False)["width"].first().to_numpy()
    bars["pruned_percent"] = 100.0 * bars["pruned"] / bars["width"]
    order = row_order(methods)
    return sort_rows(bars[list(COLUMNS)], ["model", "method", "forget_ratio"], {"method": order})


_SITE = From(NEEDS, ("model", "forget_ratio", "method", "site"), "pruned")  # in the masks, one per seed
origin = origins(dict.fromkeys(("pruned", "width", "pruned_percent"), _SITE))


def _figure(bars: pd.DataFrame, methods: list[str]) -> Figure:
    ratios = sorted(set(bars["forget_ratio"]))
    models = list(dict.fromkeys(bars["model"]))
    names = in_order(row_order(methods), bars["method"])
    if len(ratios) > 1:
        grid = [[(model, name, ratio) for ratio in ratios] for model in models for name in names]
    else:  # one column per model
        grid = [[(model, name, ratios[0]) for model in models] for name in names]
    width, columns = max(3.3 * len(grid[0]) + 0.5, 6.5), len(grid[0])
    size, keys = (width, 2.25 * len(grid) + 1.2), ("model", "method", "forget_ratio")
    figure, panels = panel_grid(bars, keys, grid, size, sharex=False, sharey="row")
    for place, (panel, (model, name, ratio), here) in enumerate(panels):
        panel.set_title(f"{model}, {name}, forget {ratio} %")
        if here.empty:
            panel.text(0.5, 0.5, "no mask", transform=panel.transAxes, ha="center", va="center", color=GREY)
            panel.set_xticks([])
            continue
        _panel(panel, here)
        if place % columns == 0:
            panel.set_ylabel(f"{_UNITS.get(here['unit'].iloc[0], 'units')} pruned,\n% of the layer")
    for line, cells in zip(panels[::columns], grid, strict=True):
        shared = bars["model"].isin([model for model, _, _ in cells]) & (bars["method"] == cells[0][1])
        tallest = max(1.0, bars.loc[shared, "pruned_percent"].max())
        line[0].set_ylim(0, 1.17 * tallest)  # room for the counts above the bars
    parts = in_order(PART_COLOURS, bars["part"])
    handles: list[Artist] = [Patch(color=PART_COLOURS[part], label=f"{part} layers") for part in parts]
    handles.append(Line2D([], [], color=GREY, linestyle="--", label="all layers together"))
    legend_below(figure, handles, width)
    heading(figure, TITLE, "share of the layer in percent; the number above a bar is the count")
    return figure


def _panel(axes: Axes, bars: pd.DataFrame) -> None:
    parts = bars["part"].to_numpy()
    places = np.arange(len(bars)) + 0.7 * np.cumsum(np.r_[False, parts[1:] != parts[:-1]])  # a gap between parts
    axes.bar(places, bars["pruned_percent"], width=0.75, color=[PART_COLOURS[part] for part in bars["part"]])
    axes.axhline(100.0 * bars["pruned"].sum() / bars["width"].sum(), color=GREY, linestyle="--", linewidth=1.0)
    few = len(bars) <= _MOST_LABELS
    if few:
        for place, bar in zip(places, bars.to_dict("records"), strict=True):
            axes.annotate(
                f"{bar['pruned']:.4g}",
                xy=(place, bar["pruned_percent"]),
                xytext=(0, 1.5),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=7,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
            )
    step = 1 if few else -(-len(bars) // _MOST_LABELS)
    labels = [site.split(".", 1)[1] for site in bars["site"]]  # the colour names the part
    axes.set_xticks(places[::step], labels[::step])
    if any(not label.isdigit() for label in labels):
        axes.tick_params(axis="x", labelrotation=90, labelsize=7.5)
        axes.set_xlabel("linear.layer")
    else:
        axes.set_xlabel("layer")
    axes.grid(visible=False, axis="x")
