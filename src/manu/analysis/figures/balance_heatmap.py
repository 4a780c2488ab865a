"""Balance of forgetting between the modalities: forgetting success of every method as a heat map."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from manu.analysis.cells import in_order, row_order
from manu.analysis.figures.heat import TWO_SIDED, colour_bar, heat_cell, plain_axes
from manu.analysis.figures.style import drawn, heading, new_figure
from manu.analysis.origin import over_seeds_from, select
from manu.analysis.seeds import percent_over_seeds, several_seeds
from manu.evaluation.vocabulary import MODALITIES

NEEDS = "outcomes"
TITLE = "Balance of forgetting"
CAPTION = (
    "Forgetting success on the forget set, in percent: 0 is the accuracy of vanilla (nothing forgotten), 100 the "
    "accuracy of retain_only, which never saw the forget set. One row per method, one column per forget ratio and "
    "modality, one panel per model. Values are means over seeds, ± the standard deviation if there are several. "
    "Forgetting is balanced if the two columns of a forget ratio are equal and dark blue. Red: below 0, better known "
    "than before. The colours end at \N{MINUS SIGN}100 and 100; the numbers do not. n/d: not defined, because vanilla "
    "is not more accurate than retain_only."
)
_KEYS = ("model", "forget_ratio", "modality", "method")
COLUMNS = (*_KEYS, "seeds", "forgetting_success_percent", "ci_low", "ci_high", "n")
_SUCCESS = {"metric": ("forgetting_success",), "split": ("forget",)}
SPREAD = "forgetting_success_percent_sd"  # one more column if there are several seeds
SCALE = Normalize(-100.0, 100.0)
_CELL = (0.62, 0.34)  # inches
_WIDER = 0.18  # inches added to a cell that shows a standard deviation
_GAP = 0.16  # cells between two forget ratios


def draw(outcomes: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its cells, from rows of outcomes.csv.

    The cells have the columns COLUMNS, and SPREAD (the standard deviation) if there are several seeds; values in
    percent, means over the seeds that have a value.
    Raises ValueError on a method that is neither a reference nor in `methods`.
    """
    cells = _cells(outcomes, methods)
    return drawn(cells, "No forgetting success on the forget set.", lambda: _figure(cells, methods))


def _cells(outcomes: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    chosen = select(outcomes, _SUCCESS | {"modality": MODALITIES})
    chosen = chosen.rename(columns={"value": "forgetting_success_percent"})
    order = {"method": row_order(methods), "modality": list(MODALITIES)}
    keys = ["model", "method", "forget_ratio", "modality"]
    return percent_over_seeds(chosen, "forgetting_success_percent", COLUMNS, keys, order, [SPREAD])


origin = over_seeds_from(NEEDS, _KEYS, value="forgetting_success_percent", of="value", fixed=_SUCCESS)


def _figure(cells: pd.DataFrame, methods: list[str]) -> Figure:
    ratios = sorted(set(cells["forget_ratio"]))
    models = list(dict.fromkeys(cells["model"]))
    modalities = in_order(MODALITIES, cells["modality"])
    names = in_order(row_order(methods), cells["method"])
    across = [(ratio, modality) for ratio in ratios for modality in modalities]
    several = several_seeds(cells)
    wide = _CELL[0] + (_WIDER if several else 0.0)
    width = max(wide * (len(across) + _GAP * len(ratios)) * len(models) + 2.1, 6.5)
    figure = new_figure(width, _CELL[1] * len(names) + 2.4)
    figure.set_layout_engine("constrained", wspace=0.05)
    axes = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
    for panel, model in zip(axes, models, strict=True):
        _panel(panel, cells[cells["model"] == model], names, across)
        panel.set_title(model)
    label = "forgetting success, %  (0: as vanilla, 100: as retain_only)"
    colour_bar(figure, axes, SCALE, label, TWO_SIDED, ticks=[-100, -50, 0, 50, 100])
    shown = "percent, mean \N{PLUS-MINUS SIGN} standard deviation over seeds" if several else "percent"
    heading(figure, TITLE, f"forgetting success, {shown}; balanced: both modalities equal and dark blue")
    return figure


def _panel(axes: Axes, cells: pd.DataFrame, names: list[str], across: list[tuple]) -> None:
    per_ratio = len({modality for _, modality in across})
    places = [place + _GAP * (place // per_ratio) for place in range(len(across))]
    for cell in cells.to_dict("records"):
        x, y = places[across.index((cell["forget_ratio"], cell["modality"]))], names.index(cell["method"])
        spread = cell[SPREAD] if cell["seeds"] > 1 else None
        heat_cell(axes, x, y, cell["forgetting_success_percent"], SCALE, spread=spread, colours=TWO_SIDED)
    for place in range(0, len(across), per_ratio):
        middle = places[place] + (per_ratio - 1) / 2
        axes.annotate(
            f"forget {across[place][0]} %",
            xy=(middle, 0.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, -32),
            textcoords="offset points",
            ha="center",
            va="top",
        )
    axes.set_xticks(places, [modality.replace("multimodal", "multi-\nmodal") for _, modality in across])
    axes.set_yticks(range(len(names)), names)
    plain_axes(axes, places[-1], len(names) - 1)
