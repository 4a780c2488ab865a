"""Kinds of statistics by name: a file in this folder, or an extension, that defines STATISTICS."""

import inspect
from pathlib import Path

from manu.core.errors import UserError
from manu.core.registry import Registry
from manu.neurons.statistics.base import Statistics

_REGISTRY = Registry("statistics", __package__, Path(__file__).parent, frozenset({"__init__", "base", "registry"}))


def known_statistics() -> list[str]:
    """Names of all kinds, sorted; none of them is imported."""
    return _REGISTRY.known()


def source_file(name: str) -> Path:
    """The file that defines a kind. Raises UserError on an unknown name."""
    return _REGISTRY.file(name)


def statistics_class(name: str) -> type[Statistics]:
    """The class of a kind. Raises UserError on an unknown name and on a file without such a class."""
    cls = _REGISTRY.definition(name, _mistake)
    if cls.name != name:
        raise UserError(f"{source_file(name)}: STATISTICS has the name {cls.name!r}; needed: {name!r}, as the file")
    return cls


def _mistake(found: object) -> str | None:
    if not (isinstance(found, type) and issubclass(found, Statistics)):
        return f"is {found!r}; needed: a class derived from manu.neurons.statistics.base.Statistics"
    missing = sorted(found.__abstractmethods__) if inspect.isabstract(found) else []
    if missing := [*missing, *(name for name in ("name",) if not hasattr(found, name))]:
        return f"{found.__name__} lacks {', '.join(missing)}"
    return None
