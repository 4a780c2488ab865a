"""Activation of pruned and kept neurons on the forget set against the retain set."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from manu.analysis.cells import in_order
from manu.analysis.figures.style import GREY, PART_COLOURS, drawn, heading, legend_below, panel_grid
from manu.analysis.origin import From, origins
from manu.analysis.tables.activations import MODALITIES, SETS

NEEDS = "neurons"
TITLE = "Activation of pruned and kept neurons"
CAPTION = (
    "A point is an MLP neuron of the vanilla model: its mean activation magnitude on the training data of the retain "
    "set (x) and of the forget set (y), in the modality with the larger value, on logarithmic axes. One panel per "
    "model and method, at the study's middle forget ratio. Filled: pruned; hollow: kept. A neuron on the diagonal does "
    "not distinguish the two sets. The axes end at 0.0001; weaker neurons are drawn at the edge."
)
_KEYS = ("model", "method", "forget_ratio", "seed", "site", "index")  # of a neuron
COLUMNS = (*_KEYS[:-1], "part", "index", "pruned", "magnitude_retain", "magnitude_forget")
_LOWEST = 1e-4  # end of the axes; weaker neurons are drawn here


def draw(neurons: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its points (COLUMNS, first seed), from the tables of neurons (activations.NEURON_COLUMNS)."""
    points = _points(neurons)
    return drawn(points, "No method of this study prunes by activation statistics.", lambda: _figure(points))


def _points(neurons: pd.DataFrame) -> pd.DataFrame:
    ratios = sorted(set(neurons["forget_ratio"]))
    chosen = neurons[neurons["forget_ratio"] == ratios[len(ratios) // 2]] if ratios else neurons
    chosen = chosen[chosen["seed"] == chosen["seed"].min()]
    strongest = {f"magnitude_{s}": chosen[[f"magnitude_{s}_{m}" for m in MODALITIES]].max(axis=1) for s in SETS}
    points = chosen.assign(**strongest)[list(COLUMNS)]
    return points.sort_values(["model", "method"], kind="stable", ignore_index=True)


origin = origins({f"magnitude_{s}": From(NEEDS, _KEYS, f"magnitude_{s}_{MODALITIES[0]}") for s in SETS})


def _figure(points: pd.DataFrame) -> Figure:
    cells = list(points[["model", "method"]].drop_duplicates().itertuples(index=False, name=None))
    width = max(3.4 * len(cells), 6.5)
    size, labels = (width, 4.4), ("mean magnitude on retain", "mean magnitude on forget")
    figure, panels = panel_grid(points, ("model", "method"), [cells], size, labels, sharex=False, sharey=False)
    for panel, (model, method), here in panels:
        _panel(panel, here)
        panel.set_title(f"{model}, {method}, forget {here['forget_ratio'].iloc[0]} %")
    parts = in_order(PART_COLOURS, points["part"])
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=5,
            markeredgecolor=PART_COLOURS[part],
            markerfacecolor=PART_COLOURS[part] if pruned else "none",
            label=f"{part}, {'pruned' if pruned else 'kept'}",
        )
        for part in parts
        for pruned in (True, False)
        if (points["part"].eq(part) & points["pruned"].eq(pruned)).any()
    ]
    handles.append(Line2D([], [], color=GREY, linewidth=1.0, label="equal on both"))
    legend_below(figure, handles, width)
    heading(figure, TITLE, "far above the diagonal: specific to the forget set")
    return figure


def _panel(axes: Axes, points: pd.DataFrame) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for pruned in (False, True):
        for part, colour in PART_COLOURS.items():
            chosen = points[(points["pruned"] == pruned) & (points["part"] == part)]
            axes.plot(
                chosen["magnitude_retain"].clip(lower=_LOWEST),
                chosen["magnitude_forget"].clip(lower=_LOWEST),
                linestyle="none",
                marker="o",
                markersize=3.6,
                markeredgecolor=colour,
                markeredgewidth=0.6,
                markerfacecolor=colour if pruned else "none",
                alpha=0.9 if pruned else 0.45,
                zorder=3 if pruned else 2,
            )
    both = points[["magnitude_retain", "magnitude_forget"]].to_numpy("float64")
    low, high = max(0.8 * both.min(), _LOWEST), 1.3 * both.max()
    axes.plot([low, high], [low, high], color=GREY, linewidth=1.0, zorder=1)
    steps = (1.0,) if high > 100 * low else (1.0, 2.0, 5.0)
    for axis, limit in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        limit(low, high)
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
