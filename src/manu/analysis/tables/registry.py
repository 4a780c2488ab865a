"""Tables by name: one file in this folder, or outside of it, is one table (manu.analysis.tables.base)."""

from collections.abc import Collection
from pathlib import Path

from manu.analysis.tables.base import SOURCES, Table
from manu.core.errors import UserError
from manu.core.registry import Registry

_REGISTRY = Registry("table", __package__, Path(__file__).parent, frozenset({"__init__", "base", "registry"}))


def known_tables() -> list[str]:
    """Names of the tables, sorted: files in this folder and outside of it, found without importing them."""
    return _REGISTRY.known()


def source_file(name: str) -> Path:
    """The table's file. Raises UserError when the name is unknown."""
    return _REGISTRY.file(name)


def table(name: str) -> Table:
    """The table. Raises UserError that lists the known names, or says what is wrong with the file."""
    return _REGISTRY.definition(name, _mistake)


def tables_of(listed: Collection[str] | None, sources: Collection[str], target: str = "all") -> dict[str, Table]:
    """The tables of a study for one target, by name.

    listed: those that the study names; None: all whose needs it makes. sources: the sources that it makes files of.
    Raises UserError on a table that is listed and needs a source that the study does not make.
    """
    found: dict[str, Table] = {}
    tables = {name: table(name) for name in (known_tables() if listed is None else listed)}
    for name, each in tables.items():
        missing = [source for source in each.needs if source in SOURCES and source not in sources]
        if missing and listed is not None:
            raise UserError(f"table '{name}' needs {SOURCES[missing[0]]}, which this study does not have")
        if not missing and each.target == target:
            found[name] = each
    return found


def _mistake(found: object) -> str | None:
    """What is wrong with a table's definition, if anything."""
    if not isinstance(found, Table):
        return f"is {found!r}; needed: a manu.analysis.tables.base.Table"
    if unknown := [source for source in found.needs if source not in (*SOURCES, *known_tables())]:
        known = ", ".join((*SOURCES, *known_tables()))
        return f"needs the unknown source {unknown[0]!r}; known: {known}"
    if found.target not in ("all", "robustness"):
        return f"has the target {found.target!r}; needed: all or robustness"
    return None
