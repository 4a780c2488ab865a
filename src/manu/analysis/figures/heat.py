"""Cells of a heat map: one hue, with the number in the cell."""

from collections.abc import Iterable
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from manu.analysis.figures.style import GREY
from manu.analysis.seeds import plus_minus

COLOURS = "Blues"  # one hue from pale to dark: the same order in grey and for all kinds of colour blindness
TWO_SIDED = "RdBu"  # red below the middle of the scale, blue above it


def heat_cell(
    axes: Axes,
    x: float,
    y: float,
    value: float,
    scale: Normalize,
    size: float = 9.0,
    spread: float | None = None,
    colours: str = COLOURS,
) -> None:
    """Draw a cell of width and height 1 around (x, y), coloured by `value` on `scale`.

    The cell shows `value`, and `spread` if there is one, rounded to whole numbers. A NaN is hatched and shows n/d.
    size: of the text, in points.
    """
    box: dict[str, Any] = {"xy": (x - 0.5, y - 0.5), "width": 1.0, "height": 1.0}
    box |= {"edgecolor": GREY, "linewidth": 0.5, "clip_on": False}
    if pd.isna(value):
        axes.add_patch(Rectangle(**box, facecolor="white", hatch="////"))
        mask = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}
        axes.text(x, y, "n/d", ha="center", va="center", fontsize=size - 1, bbox=mask)
        return
    colour = matplotlib.colormaps[colours](min(max(float(scale(value)), 0.0), 1.0))
    axes.add_patch(Rectangle(**box, facecolor=colour))
    ink = "black" if _luminance(colour) > 0.179 else "white"  # at 0.179, black and white have the same contrast
    text = plus_minus(_whole(value), "" if spread is None else _whole(spread))
    axes.text(x, y, text, ha="center", va="center", fontsize=size if spread is None else size - 1, color=ink)


def plain_axes(axes: Axes, right: float, bottom: float) -> None:
    """Axes without lines around cells whose centres reach from (0, 0), at the top left, to (right, bottom)."""
    axes.tick_params(length=0)
    axes.set_xlim(-0.5, right + 0.5)
    axes.set_ylim(bottom + 0.5, -0.5)
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)


def colour_bar(
    figure: Figure, panels: Iterable[Axes], scale: Normalize, label: str, colours: str = COLOURS, **settings: Any
) -> None:
    """Add the scale of the colours below all panels."""
    below: dict[str, Any] = {"location": "bottom", "aspect": 45, "pad": 0.04, "shrink": 0.8}
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=list(panels), **below, **settings)
    bar.set_label(label)
    bar.outline.set_edgecolor(GREY)


def _luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2): 0 is black, 1 is white."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _whole(number: float) -> str:
    """The rounded number as text; never a negative 0."""
    return str(round(number)).replace("-", "\N{MINUS SIGN}")
