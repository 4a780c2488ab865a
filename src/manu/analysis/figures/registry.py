"""Figures by name: one file in this folder is one figure.

A figure's module has the constants NEEDS ("scores": the table of scores.csv; "masks": the pruned neurons of each
mask; "variants": those of the ablation's variants by importance function; or a table by its name: "outcomes",
"costs", "ablation", "neurons", "claims", "comparison", "robustness", "sequential"), TITLE and CAPTION, `draw(data,
methods) -> (Figure, DataFrame)`: methods in the study's order; the DataFrame holds exactly what the figure shows; and
`origin(row, column)`: the rows that a number in that table comes from (manu.analysis.origin).
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from manu.errors import UserError

_FOLDER = Path(__file__).parent
_NOT_FIGURES = ("__init__", "heat", "labels", "registry", "style")


def known_figures() -> list[str]:
    """Names of the figures, sorted: the files in this folder, found without importing them."""
    return sorted(path.stem for path in _FOLDER.glob("*.py") if path.stem not in _NOT_FIGURES)


def figure_module(name: str) -> ModuleType:
    """The module that draws a figure. Raises UserError that lists the known names."""
    if name not in known_figures():
        raise UserError(f"unknown figure '{name}'; known: {', '.join(known_figures())}")
    return import_module(f"manu.analysis.figures.{name}")
