"""Messages about mistakes in a study: pydantic's errors in our words, with hints at what is known."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from manu.core.words import hint
from manu.study.model import StudyFile
from manu.study.strict_yaml import KeyPath, key_path

# Where in the document, and the message; one that begins with a space or a colon continues the key in quotes.
Mistake = tuple[KeyPath, str]
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
    "boolean": "true or false",
    "string": "text",
}


def type_mistakes(document: dict[str, Any]) -> Iterator[Mistake]:
    """Keys that are unknown or missing, and values of a wrong type or out of bounds."""
    try:
        StudyFile.model_validate(document)
    except ValidationError as error:
        schema = StudyFile.model_json_schema()
        for each in error.errors(include_url=False):
            yield _in_words(schema, each)


def _in_words(schema: dict[str, Any], error: ErrorDetails) -> Mistake:
    kind, at, value = error["type"], error["loc"], error["input"]
    match kind:
        case "extra_forbidden":
            return at, f"unknown key '{key_path(at)}'{hint(str(at[-1]), _at(schema, at[:-1])['properties'])}"
        case "missing":
            return (*at[:-1], None), f"the key '{key_path(at)}' is missing"
        case "mistake":
            return at, error["msg"]
        case "twice":
            place = error["ctx"]["place"]
            return (*at, place), f"'{key_path(at)}' lists {_shown(value[place])} twice"
        case "too_short":
            return at, " must not be empty"
    node = _at(schema, at)
    if kind == "literal_error":
        return at, f"unknown value {_shown(value)} in '{key_path(at)}'{hint(str(value), node['enum'])}"
    needed = _TYPES[node["type"]] if kind.endswith("_type") else bounds(node)
    return at, f" must be {needed}, not {_shown(value)}"


def _at(schema: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    """The part of the JSON schema about the value at a path of the document."""
    node = schema
    for part in path:
        inner = node["items"] if isinstance(part, int) else node.get("properties", {}).get(part)
        node = resolved(schema, inner or node["additionalProperties"])
    return node


def resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """A part of the JSON schema, or the definition that it refers to."""
    return schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def bounds(node: dict[str, Any]) -> str:
    """The bounds of a number in words; empty without any."""
    if "minimum" in node and "maximum" in node:
        return f"from {node['minimum']} to {node['maximum']}"
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    return " and ".join(f"{text} {node[key]}" for key, text in words.items() if key in node)


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
