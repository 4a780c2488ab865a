"""Methods by name. A method is a file that defines METHOD, in this folder or outside of it; nothing lists them twice.

`<pruning>+<training>` names two of them, one after the other (manu.unlearning.composite).
"""

import dataclasses
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from manu.core.errors import UserError
from manu.core.registry import Registry
from manu.neurons.statistics import registry as statistics_registry
from manu.unlearning.base import PromptingMethod, PruningMethod, TrainingMethod
from manu.unlearning.composite import JOINT, composite_class

Method = TrainingMethod | PruningMethod | PromptingMethod
AnyMethod = TypeVar("AnyMethod", TrainingMethod, PruningMethod, PromptingMethod)
_APART = {
    "__init__",
    "anchor",
    "base",
    "choice",
    "composite",
    "in_turn",
    "measured",
    "pruning",
    "registry",
    "run",
    "system_prompt",
    "training_data",
    "trials",
    "tuning",
}
_REGISTRY = Registry("method", __package__, Path(__file__).parent, frozenset(_APART))
_WORDS = {
    float: "a number (YAML reads 2.0e-4 as one, 2e-4 as text)",
    int: "a whole number",
    bool: "true or false",
    str: "text",
    tuple[str, ...]: "a list of text",
    tuple[int, ...]: "a list of whole numbers",
}


def known_methods() -> list[str]:
    """Names of all methods, sorted; none of them is imported."""
    return _REGISTRY.known()


def is_known(name: str) -> bool:
    """Whether a method, or each of two joined ones, has this name."""
    return set(name.split(JOINT, 1)) <= set(known_methods())


def source_files(name: str) -> list[Path]:
    """The files that define a method: its own, or those of two joined ones, and that of its kind of statistics.

    Raises UserError on an unknown name.
    """
    pruning = pruning_class(name)
    return [_REGISTRY.file(part) for part in _parts(name)] + (
        [statistics_registry.source_file(pruning.statistics)] if pruning else []
    )


def method_class(name: str) -> type[Method]:
    """The method's class; imports its own files only. Raises UserError on an unknown name and on a file without one."""
    classes = [_REGISTRY.definition(part, _mistake) for part in _parts(name)]
    return classes[0] if len(classes) == 1 else composite_class(*classes)


def pruning_class(name: str) -> type[PruningMethod] | None:
    """The pruning method that a method is or begins with, if any. Raises UserError on an unknown name."""
    cls = method_class(name)
    return cls if issubclass(cls, PruningMethod) else getattr(cls, "prunes", None)


def create_kind(kind: type[AnyMethod], name: str, settings: Mapping[str, Any] | None = None) -> AnyMethod:
    """As `create_method`, for a method of one kind. Raises UserError when the method is of another kind, too."""
    method = create_method(name, settings)
    if not isinstance(method, kind):
        raise UserError(f"method {name!r} is a {method.kind} method; needed: a {kind.kind} method")
    return method


def create_method(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """The method with its settings; lists become tuples.

    Raises UserError, naming the method and the setting, on an unknown method, on an unknown,
    missing or mistyped setting and on a value out of range.
    """
    cls, settings = method_class(name), settings or {}
    types = get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    known = ", ".join(sorted(fields)) or "none"
    for setting in settings:
        if setting not in fields:
            raise UserError(f"method {name!r}: unknown setting {setting!r}; known: {known}")
    for field in fields.values():
        if field.default is dataclasses.MISSING and field.name not in settings:
            raise UserError(f"method {name!r}: missing setting {field.name!r}; known: {known}")
    try:
        return cls(**{setting: _typed(setting, value, types[setting]) for setting, value in settings.items()})
    except UserError as error:
        raise UserError(f"method {name!r}: {error}") from None


def _parts(name: str) -> list[str]:
    """The names of one method or of two joined ones. Raises UserError on an unknown name."""
    if not is_known(name):
        raise UserError(f"unknown method {name!r}; known: {', '.join(known_methods())}")
    return name.split(JOINT, 1)


def _mistake(found: object) -> str | None:
    if not (isinstance(found, type) and issubclass(found, Method)):
        return f"is {found!r}; needed: a class derived from one of those in manu.unlearning.base"
    if inspect.isabstract(found):
        return f"{found.__name__} lacks {', '.join(sorted(found.__abstractmethods__))}"
    if issubclass(found, PruningMethod):
        given, known = getattr(found, "statistics", None), statistics_registry.known_statistics()
        if given not in known:
            return f"{found.__name__}: statistics is {given!r}; needed: one of {', '.join(known)}"
    types, settings = get_type_hints(found), {field.name for field in dataclasses.fields(found)}
    for name in types:
        if name not in settings and get_origin(types[name]) is not ClassVar:
            decorator = "@dataclass(frozen=True, kw_only=True)"
            needed = f"{decorator} on the class, or a ClassVar"
            return f"{found.__name__}: {name!r} is annotated and no setting; needed: {needed}"
    for field in dataclasses.fields(found):
        if types[field.name] not in _WORDS:
            needed = "one of float, int, bool, str, tuple[str, ...], tuple[int, ...]"
            return f"{found.__name__}: the setting {field.name!r} is a {types[field.name]}; needed: {needed}"
    return None


def _typed(setting: str, value: Any, expected: Any) -> Any:
    """`value` as a field of type float, int, bool, str, tuple[str, ...] or tuple[int, ...]."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if expected is float and is_number:
        return float(value)
    if expected is int and is_number and float(value).is_integer():
        return int(value)
    if expected in (bool, str) and isinstance(value, expected):
        return value
    if get_origin(expected) is tuple and isinstance(value, list | tuple):
        item, _ = get_args(expected)
        return tuple(_typed(setting, each, item) for each in value)
    raise UserError(f"{setting}: {value!r} is a {type(value).__name__}; needed: {_WORDS[expected]}")
