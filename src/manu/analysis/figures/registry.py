"""Figures by name: one file in this folder, or outside of it, is one figure.

A figure's module has the constants NEEDS ("scores": the table of scores.csv; "masks": the pruned neurons of each
mask; "variants": those of the ablation's variants by importance function; or a table by its name: "outcomes",
"costs", "ablation", "neurons", "claims", "comparison", "robustness", "sequential"), TITLE and CAPTION, `draw(data,
methods) -> (Figure, DataFrame)`: methods in the study's order; the DataFrame holds exactly what the figure shows; and
`origin(row, column)`: the rows that a number in that table comes from (manu.analysis.origin).
"""

from pathlib import Path
from types import ModuleType

from manu.core.errors import UserError
from manu.core.registry import Registry

_APART = {"__init__", "heat", "labels", "registry", "style"}
_REGISTRY = Registry("figure", __package__, Path(__file__).parent, frozenset(_APART))
_PARTS = ("TITLE", "CAPTION", "draw", "origin")


def known_figures() -> list[str]:
    """Names of the figures, sorted: files in this folder and outside of it, found without importing them."""
    return _REGISTRY.known()


def source_file(name: str) -> Path:
    """The figure's file. Raises UserError when the name is unknown."""
    return _REGISTRY.file(name)


def figure_module(name: str) -> ModuleType:
    """The module that draws a figure. Raises UserError that lists the known names, or says what the module lacks."""
    module = _REGISTRY.module(name)
    if missing := [part for part in _PARTS if not hasattr(module, part)]:
        raise UserError(f"{_REGISTRY.file(name)}: the figure lacks {', '.join(missing)}")
    return module
