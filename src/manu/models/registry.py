"""Model adapters by name: one file in this folder each, imported only when asked for."""

from importlib import import_module
from pathlib import Path

from manu.errors import UserError
from manu.models.base import Adapter

_FOLDER = Path(__file__).parent
_NOT_ADAPTERS = {"__init__", "base", "inputs", "language", "loading", "memory", "registry", "tokenizer"}


def known_models() -> list[str]:
    """Names of all adapters, without importing them."""
    return sorted(path.stem for path in _FOLDER.glob("*.py") if path.stem not in _NOT_ADAPTERS)


def source_file(name: str) -> Path:
    """The adapter's file."""
    if name not in known_models():
        raise UserError(f"unknown model {name!r}; known: {', '.join(known_models())}")
    return _FOLDER / f"{name}.py"


def adapter_class(name: str) -> type[Adapter]:
    """The adapter class of a model. Raises UserError when the name is unknown."""
    source_file(name)
    return import_module(f"manu.models.{name}").ADAPTER
