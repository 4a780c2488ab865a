"""Architectures by name: one file each, in this folder or in an extension, imported on first use."""

import inspect
from dataclasses import is_dataclass
from pathlib import Path

from manu.core.registry import Registry
from manu.models.base import VisionLanguageModel

_NOT_MODELS = {
    "__init__",
    "base",
    "checkpoint",
    "inputs",
    "language",
    "lazy_imports",
    "loading",
    "registry",
    "sizes",
    "tokenizer",
}
_REGISTRY = Registry("model", __package__, Path(__file__).parent, frozenset(_NOT_MODELS))
_CONSTANTS = ("model_class", "processor_class", "architecture_class", "released_vision_kinds")


def known_models() -> list[str]:
    """Names of all architectures, without importing them."""
    return _REGISTRY.known()


def source_file(name: str) -> Path:
    """The file of an architecture. Raises UserError when the name is unknown."""
    return _REGISTRY.file(name)


def vlm_class(name: str) -> type[VisionLanguageModel]:
    """The class of an architecture. Raises UserError when the name is unknown or its file defines no valid class."""
    return _REGISTRY.definition(name, _mistake)


def _mistake(value: object) -> str | None:
    """What is wrong with the constant MODEL of a file, if anything."""
    if not (isinstance(value, type) and issubclass(value, VisionLanguageModel)):
        return f"is {value!r}; needed: a class derived from manu.models.base.VisionLanguageModel"
    missing = sorted(value.__abstractmethods__) if inspect.isabstract(value) else []
    # getattr_static: reading a TransformersClass would import transformers
    missing += [name for name in _CONSTANTS if inspect.getattr_static(value, name, None) is None]
    if missing:
        return f"{value.__name__} lacks {', '.join(missing)}"
    if not is_dataclass(value.architecture_class):
        return f"{value.__name__}: architecture_class is {value.architecture_class!r}; needed: a dataclass of sizes"
    return None
