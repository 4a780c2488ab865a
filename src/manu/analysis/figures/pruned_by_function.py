"""Pruned neurons per layer for every importance function by itself, and for all together."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from manu.analysis.cells import sort_rows
from manu.analysis.figures.heat import colour_bar, heat_cell, plain_axes
from manu.analysis.figures.style import PART_COLOURS, drawn, heading, new_figure
from manu.analysis.origin import From, origins

NEEDS = "variant_masks"
TITLE = "Pruned neurons by importance function"
CAPTION = (
    "Pruned neurons of every MLP layer, in percent of the layer's neurons, if a single importance function ranks the "
    "neurons (abs, freq, var, rms), and if all functions of the method do (all), at the prune ratio of the ablation. "
    "One panel per model; means over seeds. All columns of a panel prune the same total number of neurons, in "
    "different layers. Layer 0 is next to the input of the vision encoder or of the language model."
)
_KEYS = ("model", "forget_ratio", "method", "functions", "site", "part", "layer")
COLUMNS = (*_KEYS, "seeds", "pruned", "width", "pruned_percent")
_CELL = (0.62, 0.3)  # inches
_GAP = 0.3  # cells between vision and language


def draw(pruned: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its cells (COLUMNS), from the sites of the variants' masks.

    pruned: the columns manu.analysis.pruned.PRUNED_COLUMNS and `functions`, the names of the variant's importance
    functions separated by blanks. The variants are in the order of the figure's columns, the one with all functions
    last.
    """
    cells = _cells(pruned)
    return drawn(cells, "No variant of this study uses a single importance function.", lambda: _figure(cells))


def _cells(pruned: pd.DataFrame) -> pd.DataFrame:
    cells = pruned.groupby(list(_KEYS), sort=False, as_index=False).agg(
        seeds=("seed", "nunique"), pruned=("pruned", "mean"), width=("width", "first")
    )
    cells["pruned_percent"] = 100.0 * cells["pruned"] / cells["width"]
    order = {"part": list(PART_COLOURS), "method": list(dict.fromkeys(pruned["method"]))}
    return sort_rows(cells[list(COLUMNS)], ["model", "method", "part", "layer"], order)


_SITE = From(NEEDS, ("model", "forget_ratio", "method", "site"), "pruned")  # in the masks, one per seed
origin = origins(dict.fromkeys(("pruned", "width", "pruned_percent"), _SITE))


def _figure(cells: pd.DataFrame) -> Figure:
    models = list(dict.fromkeys(cells["model"]))
    columns = list(dict.fromkeys(zip(cells["method"], cells["functions"], strict=True)))
    layers = sorted(
        set(zip(cells["part"], cells["layer"], strict=True)),
        key=lambda layer: (list(PART_COLOURS).index(layer[0]), layer[1]),
    )
    width = max((_CELL[0] * len(columns) + 0.4) * len(models) + 1.5, 6.0)
    figure = new_figure(width, _CELL[1] * len(layers) + 2.2)
    axes = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
    scale = Normalize(0.0, max(10.0, -(-cells["pruned_percent"].max() // 10) * 10.0))
    for panel, model in zip(axes, models, strict=True):
        _panel(panel, cells[cells["model"] == model], columns, layers, scale)
        panel.set_title(model)
    colour_bar(figure, axes, scale, "neurons pruned, % of the layer")
    ratio = cells["forget_ratio"].iloc[0]
    heading(figure, TITLE, f"percent of the layer; columns: importance functions; forget {ratio} %")
    return figure


def _panel(axes: Axes, cells: pd.DataFrame, columns: list[tuple], layers: list[tuple], scale: Normalize) -> None:
    places = [place + _GAP * (part != layers[0][0]) for place, (part, _) in enumerate(layers)]
    for cell in cells.to_dict("records"):
        x, y = columns.index((cell["method"], cell["functions"])), places[layers.index((cell["part"], cell["layer"]))]
        heat_cell(axes, x, y, cell["pruned_percent"], scale)
    axes.set_xticks(range(len(columns)), ["all" if " " in functions else functions for _, functions in columns])
    axes.set_yticks(places, [f"{part} {layer}" for part, layer in layers])
    plain_axes(axes, len(columns) - 1, places[-1])
