"""The shared style of all figures, and saving a figure with its numbers.

Figures are made with `matplotlib.figure.Figure`, not with pyplot, so that there is no global state. `look()` must be
active while a figure is drawn and saved. SVG and PNG files are byte for byte the same on every run.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from manu.analysis.cells import DECIMALS
from manu.analysis.origin import select
from manu.analysis.seeds import several_seeds
from manu.core.files import atomic_path
from manu.evaluation.vocabulary import REFERENCES

DPI = 150
INK = "#222222"
GREY = "#777777"
FAINT = "#dddddd"
CHANCE = 25.0  # percent, with four options
# Methods and architectures by their names, in every text of every figure; others are shown as a study calls them.
NAMES = {
    "vanilla": "vanilla",
    "retain_only": "retain-only",
    "ga": "Gradient Ascent",
    "gradient_difference": "Gradient Difference",
    "gradient_difference_paired": "Gradient Difference (paired)",
    "kl": "KL Minimization",
    "kl_paired": "KL Minimization (paired)",
    "npo": "NPO",
    "dpo": "DPO",
    "rmu": "RMU",
    "undial": "UNDIAL",
    "mmunlearner": "MMUnlearner",
    "task_arithmetic": "task arithmetic",
    "manu": "MANU",
    "manu_released": "MANU (released)",
    "manu_gradient": "MANU (brief), pruning",
    "manu_gradient+recover": "MANU (brief)",
    "manu+recover": "MANU, then recovery",
    "recover": "recovery",
    "random_neurons": "random neurons",
    "largest_activation": "largest activation",
    "llava": "LLaVA",
    "idefics2": "Idefics2",
    "smolvlm": "SmolVLM",
    "qwen2_5_vl": "Qwen2.5-VL",
}
_IDENTIFIER = re.compile(
    r"(?<![\w+])(" + "|".join(map(re.escape, sorted(NAMES, key=len, reverse=True))) + r")(?![\w+])"
)
MODALITY_COLOURS = {"multimodal": "#0072b2", "text": "#d55e00"}  # Okabe and Ito
PART_COLOURS = {"vision": "#009e73", "language": "#cc79a7"}
# Dark shades based on Paul Tol's "muted" scheme, distinct for the common kinds of colour blindness. Every method also
# has its own marker, so that no figure depends on colour.
_COLOURS = ("#332288", "#cc4455", "#117733", "#3399cc", "#c98a00", "#aa4499", "#2a9d8f", "#882255", "#7a7a1f")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
SEED_MARK: dict[str, Any] = {
    "linestyle": "none",
    "markersize": 3.5,
    "markerfacecolor": "white",
    "markeredgewidth": 0.9,
    "zorder": 3.5,
}
_REFERENCE_MARKS = {"vanilla": (INK, "*"), "retain_only": (GREY, "d")}
_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 9.0,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "savefig.dpi": DPI,
    "svg.hashsalt": "manu",
    "svg.fonttype": "path",
}


def look() -> AbstractContextManager:
    """Context manager: the shared settings on top of matplotlib's defaults, independent of the user's matplotlibrc."""
    settings: Any = {**matplotlib.rcParamsDefault, "backend": "agg", **_SETTINGS}
    return matplotlib.rc_context(settings)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure with constrained layout; width and height in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panel_grid(
    data: pd.DataFrame,
    keys: Sequence[str],
    grid: Sequence[Sequence[tuple]],
    size: tuple[float, float],
    labels: tuple[str, str] = ("", ""),
    **shared: Any,
) -> tuple[Figure, list[tuple[Axes, tuple, pd.DataFrame]]]:
    """A figure with a panel for each cell of a grid, and (panel, cell, its rows of `data`) of each.

    keys: columns of `data`; a cell has a value for each. size: width and height in inches; labels: of the x axes below
    the last row, and of the y axes in the first column. The panels share both axes unless `shared` says otherwise.
    """
    figure = new_figure(*size)
    axes = figure.subplots(len(grid), len(grid[0]), squeeze=False, **({"sharex": True, "sharey": True} | shared))
    for panels, label, side in ((axes[-1], labels[0], "x"), (axes[:, 0], labels[1], "y")):
        for panel in panels:
            panel.set(**{f"{side}label": label})
    cells = [cell for line in grid for cell in line]
    rows = [select(data, dict(zip(keys, ((value,) for value in cell), strict=True))) for cell in cells]
    return figure, list(zip(axes.flat, cells, rows, strict=True))


def drawn(data: pd.DataFrame, nothing: str, figure: Callable[[], Figure]) -> tuple[Figure, pd.DataFrame]:
    """What the `draw` of a figure returns: the figure in the shared style, or one that says `nothing`, and its data."""
    with look():
        return (message_figure(nothing) if data.empty else figure()), data


def heading(figure: Figure, title: str, subtitle: str) -> None:
    """Write the title above all panels, and a line below it."""
    figure.suptitle(f"{title}\n{subtitle}", fontsize=10.5)


def method_mark(method: str, methods: list[str]) -> tuple[str, str]:
    """Colour and marker of a method, by its place in `methods`; the reference models have fixed ones.

    Raises ValueError on a method that is neither a reference nor in `methods`.
    """
    if method in REFERENCES:
        return _REFERENCE_MARKS[method]
    index = [name for name in methods if name not in REFERENCES].index(method)
    return _COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)]


def legend_below(figure: Figure, handles: list, width: float, wide: float = 1.6) -> None:
    """Add one legend below all panels, filled row by row. width: of the figure; wide: of an entry, both in inches."""
    columns = max(1, min(len(handles), int(width / wide)))
    rows = -(-len(handles) // columns)
    columns = -(-len(handles) // rows)
    by_column = [handle for column in range(columns) for handle in handles[column::columns]]
    figure.legend(handles=by_column, loc="outside lower center", ncols=columns, handletextpad=0.4)


def chance_legend() -> Line2D:
    """The legend entry for the dotted line at CHANCE."""
    return Line2D([], [], color=GREY, linestyle=":", label=f"chance ({CHANCE:g} %)")


def seed_legend(cells: pd.DataFrame) -> list[Line2D]:
    """The legend entry for SEED_MARK, or nothing if every cell (manu.analysis.seeds) has a single seed."""
    if not several_seeds(cells):
        return []
    return [Line2D([], [], color=INK, marker="o", **SEED_MARK, label="lowest and highest seed")]


def named(text: str) -> str:
    """A text with every method and architecture that a study names in it by its own name."""
    return _IDENTIFIER.sub(lambda found: NAMES[found.group()], text)


def _name_everything(figure: Figure) -> None:
    for text in figure.findobj(Text):
        text.set_text(named(text.get_text()))
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if labels != (names := [named(label) for label in labels]):  # an axis writes its labels when it is drawn
            axis.set_ticks(axis.get_ticklocs(), names)


def message_figure(text: str) -> Figure:
    """A figure with a text that says why there is nothing to draw."""
    figure = new_figure(6.0, 1.6)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", wrap=True)
    return figure


def save(figure: Figure, frame: pd.DataFrame, png: Path | None, svg: Path | None, csv: Path) -> None:
    """Write the figure (PNG, SVG) and its numbers (CSV), atomically and without dates or program versions.

    All files are complete before the first one is renamed to its path. An audit asks for the numbers alone.
    """
    _name_everything(figure)
    with look(), ExitStack() as files:
        new_csv = files.enter_context(atomic_path(csv))
        for path, form, without in ((png, "png", ("Software",)), (svg, "svg", ("Date", "Creator"))):
            if path is not None:
                new = files.enter_context(atomic_path(path))
                figure.savefig(new, format=form, metadata=dict.fromkeys(without))
        frame.to_csv(new_csv, index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")
