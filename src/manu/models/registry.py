"""Model adapters by name: one file in this folder, or outside of it, each; imported only when asked for."""

import inspect
from dataclasses import is_dataclass
from pathlib import Path

from manu.core.registry import Registry
from manu.models.base import VisionLanguageModel

_APART = {"__init__", "base", "inputs", "language", "lazy_imports", "loading", "registry", "sizes", "tokenizer"}
_REGISTRY = Registry("model", __package__, Path(__file__).parent, frozenset(_APART))
_CONSTANTS = ("model_class", "processor_class", "architecture_class", "released_vision_kinds")


def known_models() -> list[str]:
    """Names of all adapters, without importing them."""
    return _REGISTRY.known()


def source_file(name: str) -> Path:
    """The adapter's file. Raises UserError when the name is unknown."""
    return _REGISTRY.file(name)


def vlm_class(name: str) -> type[VisionLanguageModel]:
    """The adapter class of a model. Raises UserError when the name is unknown or the file has no such class."""
    return _REGISTRY.definition(name, _mistake)


def _mistake(found: object) -> str | None:
    if not (isinstance(found, type) and issubclass(found, VisionLanguageModel)):
        return f"is {found!r}; needed: a class derived from manu.models.base.VisionLanguageModel"
    missing = sorted(found.__abstractmethods__) if inspect.isabstract(found) else []
    missing += [name for name in _CONSTANTS if inspect.getattr_static(found, name, None) is None]  # importing nothing
    if missing:
        return f"{found.__name__} lacks {', '.join(missing)}"
    if not is_dataclass(found.architecture_class):
        return f"{found.__name__}: architecture_class is {found.architecture_class!r}; needed: a dataclass of sizes"
    return None
