"""Balance of forgetting between the modalities: forgetting success of every method as a heat map."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from manu.analysis.cells import in_percent, row_order, sort_rows
from manu.analysis.figures.heat import COLOURS, heat_cell
from manu.analysis.figures.style import GREY, look, message_figure, new_figure
from manu.analysis.origin import Origin, same
from manu.analysis.seeds import over_seeds, several_seeds
from manu.evaluation.vocabulary import MODALITIES

NEEDS = "outcomes"
TITLE = "Balance of forgetting"
CAPTION = (
    "Forgetting success on the forget set, in percent: 0 is the accuracy of vanilla (nothing forgotten), 100 the "
    "accuracy of retain_only, which never saw the forget set. One row per method, one column per forget ratio and "
    "modality, one panel per model. Values are means over seeds, ± the standard deviation if there are several. "
    "Forgetting is balanced if the two columns of a forget ratio are equal and dark. The colour scale ends at 0 and "
    "100; the numbers do not. n/d: not defined, because vanilla is not more accurate than retain_only."
)
COLUMNS = (
    "model",
    "forget_ratio",
    "modality",
    "method",
    "seeds",
    "forgetting_success_percent",
    "ci_low",
    "ci_high",
    "n",
)
SPREAD = "forgetting_success_percent_sd"  # one more column if there are several seeds
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
    with look():
        if cells.empty:
            return message_figure("No forgetting success on the forget set."), cells
        return _figure(cells, methods), cells


def _cells(outcomes: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    shown = (outcomes["metric"] == "forgetting_success") & (outcomes["split"] == "forget")
    chosen = outcomes[shown & outcomes["modality"].isin(MODALITIES)]
    chosen = chosen.rename(columns={"value": "forgetting_success_percent"})
    numbers = ["forgetting_success_percent", "ci_low", "ci_high"]
    chosen = in_percent(chosen, numbers)
    cells = over_seeds(chosen, "forgetting_success_percent")
    order = {"method": row_order(methods), "modality": list(MODALITIES)}
    return sort_rows(
        cells[[*COLUMNS, *([SPREAD] if several_seeds(cells) else ())]],
        ["model", "method", "forget_ratio", "modality"],
        order,
    )


def origin(row: dict[str, str], column: str) -> Origin | None:
    """The method's rows of outcomes.csv, one per seed."""
    if column not in ("forgetting_success_percent", "ci_low", "ci_high", "n", SPREAD):
        return None
    where = same(row, "model", "forget_ratio", "modality", "method")
    where |= {"metric": ("forgetting_success",), "split": ("forget",)}
    return Origin(("outcomes",), where, column if column in ("ci_low", "ci_high", "n") else "value")


def _figure(cells: pd.DataFrame, methods: list[str]) -> Figure:
    ratios = sorted(set(cells["forget_ratio"]))
    models = list(dict.fromkeys(cells["model"]))
    modalities = [modality for modality in MODALITIES if modality in set(cells["modality"])]
    names = [name for name in row_order(methods) if name in set(cells["method"])]
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
    scale = figure.colorbar(
        ScalarMappable(Normalize(0.0, 100.0), COLOURS),
        ax=list(axes),
        location="bottom",
        aspect=45,
        pad=0.04,
        shrink=0.8,
        ticks=[0, 25, 50, 75, 100],
    )
    scale.set_label("forgetting success, %  (0: as vanilla, 100: as retain_only)")
    scale.outline.set_edgecolor(GREY)
    shown = "percent, mean \N{PLUS-MINUS SIGN} standard deviation over seeds" if several else "percent"
    figure.suptitle(f"{TITLE}\nforgetting success, {shown}; balanced: both modalities equal and dark", fontsize=10.5)
    return figure


def _panel(axes: Axes, cells: pd.DataFrame, names: list[str], across: list[tuple]) -> None:
    scale = Normalize(0.0, 100.0)
    per_ratio = len({modality for _, modality in across})
    places = [place + _GAP * (place // per_ratio) for place in range(len(across))]
    for cell in cells.to_dict("records"):
        x, y = places[across.index((cell["forget_ratio"], cell["modality"]))], names.index(cell["method"])
        spread = cell[SPREAD] if cell["seeds"] > 1 else None
        heat_cell(axes, x, y, cell["forgetting_success_percent"], scale, spread=spread)
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
    axes.tick_params(length=0)
    axes.set_xlim(-0.5, places[-1] + 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
