"""Figures by name: one file per figure, in this folder or in an extension.

The module of a figure has
- NEEDS, the data of `draw`: the name of a table, such as "scores" or "outcomes", or one of SOURCES;
- TITLE and CAPTION;
- `draw(data, methods) -> (Figure, DataFrame)`: methods in the study's order; the DataFrame has the numbers drawn;
- `origin(row, column)`: the rows behind a number of that DataFrame (manu.analysis.origin);
- optionally KEYS, the columns of that DataFrame that say what a row is about, if it has other ones than most figures.
"""

from collections.abc import Collection
from pathlib import Path
from types import ModuleType

from manu.analysis.tables.registry import known_tables
from manu.core.errors import UserError
from manu.core.registry import Registry

SOURCES = {  # what a figure is drawn from that is no table
    "masks": "pruned neurons of every mask",
    "variant_masks": "pruned neurons of the ablation's variants with a single importance function",
    "neurons": "the lists of neurons with their activations",
}
_NOT_FIGURES = {"__init__", "heat", "registry", "style"}
_REGISTRY = Registry("figure", __package__, Path(__file__).parent, frozenset(_NOT_FIGURES))
_KEYS = {
    *("model", "method", "forget_ratio", "seed", "seeds", "runs", "split", "modality", "task", "metric", "prune_ratio"),
    *("unit", "site", "part", "layer", "index", "group", "condition", "lessons", "steps", "order", "after"),
    *("claim", "measure", "threshold", "cells", "verdict", "our_forget_ratio"),
}
_PARTS = ("TITLE", "CAPTION", "draw", "origin")


def known_figures() -> list[str]:
    """Names of all figures, sorted, without importing them."""
    return _REGISTRY.known()


def source_file(name: str) -> Path:
    """The file of a figure. Raises UserError when the name is unknown."""
    return _REGISTRY.file(name)


def figure_module(name: str) -> ModuleType:
    """The module of a figure. Raises UserError when the name is unknown, or the module lacks a part
    or NEEDS what no figure is drawn from."""
    module = _REGISTRY.module(name)
    if missing := [part for part in _PARTS if not hasattr(module, part)]:
        raise UserError(f"{_REGISTRY.file(name)}: the figure lacks {', '.join(missing)}")
    if module.NEEDS not in (drawn := [*SOURCES, *known_tables()]):
        raise UserError(
            f"{_REGISTRY.file(name)}: NEEDS is {module.NEEDS!r}; a figure is drawn from: {', '.join(drawn)}"
        )
    return module


def figure_keys(name: str | None) -> Collection[str]:
    """The columns of a figure's numbers that say what a row is about; without a name, those of most figures."""
    return getattr(figure_module(name), "KEYS", _KEYS) if name else _KEYS
