"""Names beside the marks of a panel, if there is room for them."""

from collections.abc import Iterable, Sequence
from typing import cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from manu.analysis.figures.style import named

# offset from the mark in points, and the alignment of the text
_PLACES = (
    (6, 0, "left", "center"),
    (-6, 0, "right", "center"),
    (0, 6, "center", "bottom"),
    (0, -6, "center", "top"),
    (5, 5, "left", "bottom"),
    (5, -5, "left", "top"),
    (-5, 5, "right", "bottom"),
    (-5, -5, "right", "top"),
)
_MARK = 4.5  # half a mark's size in points


def label_marks(
    axes: Axes, marks: Sequence[tuple[float, float, str, str]], bars: Iterable[tuple[float, float, float]]
) -> None:
    """Write names beside marks, without overlap.

    marks: (x, y, name, colour). bars: (x, low, high), not to be covered either. A mark without room gets no name; the
    legend has it. The layout of the figure must be final, because this draws the figure once.
    """
    figure = cast(Figure, axes.figure)
    figure.draw_without_rendering()
    point = figure.dpi / 72
    to_pixels = axes.transData.transform
    taken = [Bbox([to_pixels((x, y)) - _MARK * point, to_pixels((x, y)) + _MARK * point]) for x, y, _, _ in marks]
    for x, low, high in bars:
        taken.append(Bbox([to_pixels((x, low)) - point, to_pixels((x, high)) + point]))
    for x, y, name, colour in marks:
        for right, up, side, height in _PLACES:
            note = axes.annotate(
                named(name),
                (x, y),
                (right, up),
                textcoords="offset points",
                ha=side,
                va=height,
                fontsize=7.5,
                color=colour,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.4},
            )
            note.set_in_layout(False)
            box = note.get_window_extent()
            inside = all(axes.bbox.contains(*corner) for corner in box.padded(point).corners())
            if inside and not box.count_overlaps(taken):
                taken.append(box)
                break
            note.remove()
