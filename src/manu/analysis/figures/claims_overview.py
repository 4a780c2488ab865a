"""The verdict on every claim, per method and architecture, with the value that it is based on."""

from collections.abc import Mapping
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from manu.analysis.cells import sort_rows
from manu.analysis.claims import VERDICTS
from manu.analysis.figures.style import FAINT, GREY, INK, drawn, heading, new_figure
from manu.analysis.origin import From, origins

NEEDS = "claims"
TITLE = "Verdicts on the claims"
CAPTION = (
    "One row per claim, one column per method and architecture. A claim is reproduced if the whole interval over "
    "people and training runs lies above the threshold at every forget ratio. It is not reproduced if no part of the "
    "interval lies above the threshold at any, and neither if the model is destroyed: it keeps less of the retain "
    "people than a claim of forgetting asks for. Otherwise, or if the study has no value, the verdict is inconclusive. "
    "Below the verdict: the mean value over forget ratios and runs, and the interval from the lowest end to the "
    "highest end, in the unit of the claim's measure. Two controls are tested on the claims about forgetting: vanilla, "
    "which forgot nothing, should fail; retain_only, which never saw the forget set, should pass."
)
COLUMNS = ("claim", "model", "method", "verdict", "value", "ci_low", "ci_high", "threshold", "runs")
_LEFT, _CELL, _ROW, _HEAD = (
    2.5,
    0.97,
    0.74,
    0.62,
)  # inches: width of the text and of a cell, minimal height of a row, height of the heading
_WRAP = 40  # characters per line of a claim


def draw(claims: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its cells (COLUMNS, in the order of the grid), from rows of claims.csv."""
    cells, says = _cells(claims), dict(zip(claims["claim"], claims["says"], strict=True))
    return drawn(cells, "No claim was tested.", lambda: _figure(cells, says))


def _cells(claims: pd.DataFrame) -> pd.DataFrame:
    numbers = ["value", "ci_low", "ci_high", "threshold"]
    cells = claims[list(COLUMNS)].assign(**{name: pd.to_numeric(claims[name], errors="coerce") for name in numbers})
    keys = ["claim", "method", "model"]
    order = {key: list(dict.fromkeys(claims[key])) for key in keys}
    return sort_rows(cells, keys, order)


origin = origins(
    {column: From(NEEDS, ("claim", "model", "method"), column) for column in ("value", "ci_low", "ci_high")}
)


def _figure(cells: pd.DataFrame, says: Mapping[str, str]) -> Figure:
    blocks = _blocks(cells)
    models = list(dict.fromkeys(cells["model"]))
    columns = len(models) * max(len(methods) for methods, _ in blocks)
    texts = {claim: fill(str(text), _WRAP) for claim, text in says.items()}
    row = max(_ROW, *(0.13 * (text.count("\n") + 1) + 0.27 for text in texts.values()))
    heights = [_HEAD + row * len(claims) for _, claims in blocks]
    width = max(_LEFT + _CELL * columns, 6.5)
    figure = new_figure(width + 0.2, sum(heights) + 0.75 + 0.1 * len(blocks))
    axes = figure.subplots(len(blocks), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for panel, height, (methods, claims) in zip(axes, heights, blocks, strict=True):
        across = [(method, model) for method in methods for model in models]
        _head(panel, across, len(models))
        for place, claim in enumerate(claims):
            _row(panel, cells[cells["claim"] == claim], across, texts[claim], _HEAD + row * place, row)
        panel.set_xlim(0, width)
        panel.set_ylim(height, 0)
        panel.set_axis_off()
    runs = int(cells["runs"].min())
    over = "people (one run: training noise not counted)" if runs == 1 else f"people and {runs} training runs"
    heading(figure, TITLE, f"small type: value, and interval over {over}")
    return figure


def _blocks(cells: pd.DataFrame) -> list[tuple[list[str], list[str]]]:
    """Blocks of (methods, claims). Methods with the same claims form one block; blocks are drawn below each other."""
    blocks: dict[tuple[str, ...], list[str]] = {}
    for method, group in cells.groupby("method", sort=False):
        blocks.setdefault(tuple(dict.fromkeys(group["claim"])), []).append(str(method))
    return [(methods, list(claims)) for claims, methods in blocks.items()]


def _head(axes: Axes, across: list[tuple[str, str]], per_method: int) -> None:
    """Draw the names of the columns (method, model). per_method: columns per method."""
    for place, (method, model) in enumerate(across):
        left = _LEFT + _CELL * place
        if place % per_method == 0:
            right = left + _CELL * per_method
            axes.text((left + right) / 2, 0.16, method, ha="center", va="center", fontsize=9.5, weight="bold")
            axes.plot([left + 0.05, right - 0.05], [0.27, 0.27], color=GREY, linewidth=0.8)
        axes.text(left + _CELL / 2, 0.44, model.replace(" ", "\n"), ha="center", va="center", fontsize=8)


def _row(axes: Axes, cells: pd.DataFrame, across: list[tuple], text: str, top: float, height: float) -> None:
    """Draw one claim: its text at the left, then its cells."""
    axes.plot([0, _LEFT + _CELL * len(across)], [top, top], color=FAINT, linewidth=0.8, zorder=0)
    axes.text(0.02, top + 0.06, text, ha="left", va="top", fontsize=8)
    holds = f"holds above {cells['threshold'].iloc[0]:g}"
    axes.text(0.02, top + height - 0.06, holds, ha="left", va="bottom", fontsize=7, color="#555555")
    for cell in cells.to_dict("records"):
        if (cell["method"], cell["model"]) in across:
            _cell(axes, _LEFT + _CELL * across.index((cell["method"], cell["model"])), top, height, cell)


def _cell(axes: Axes, left: float, top: float, height: float, cell: Mapping) -> None:
    symbol, ink, background = VERDICTS[cell["verdict"]]
    box = (left + 0.025, top + 0.025), _CELL - 0.05, height - 0.05
    axes.add_patch(Rectangle(*box, facecolor=background, zorder=1))
    lines = [(0.0, symbol, 11.0, ink), (0.17, cell["verdict"], 7.5, ink)]
    if not pd.isna(cell["value"]):
        ends = f"[{_number(cell['ci_low'])}, {_number(cell['ci_high'])}]"
        lines += [(0.32, _number(cell["value"]), 7.0, INK), (0.45, ends, 6.5, INK)]
    first = top + (height - lines[-1][0]) / 2 - 0.01
    for below, words, size, colour in lines:
        axes.text(left + _CELL / 2, first + below, words, ha="center", va="center", fontsize=size, color=colour)


def _number(value: float) -> str:
    """The value with three decimals, enough to tell it from its threshold; never a negative 0."""
    if pd.isna(value):
        return "n/d"
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "\N{MINUS SIGN}")
