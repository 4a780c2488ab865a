"""Read a YAML file strictly: no duplicate keys, text keys only, and where each key stands."""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from manu.core.errors import UserError

KeyPath = tuple[str | int | None, ...]  # keys and list positions from the top of the document


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number (YAML 1.2), which YAML 1.1 takes for text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path) -> tuple[Any, dict[KeyPath, tuple[int, int]]]:
    """The document in `path` and, for each path inside it, (line, column) counted from 1.

    A path that ends in None is the end of that mapping or list. Raises UserError (one line, with the line
    number) when the file is missing, is not UTF-8 YAML, has a duplicate key, or a key that is not text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text") from error
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        marks: dict[KeyPath, tuple[int, int]] = {}
        if root is None:
            return None, marks
        _visit(root, (), marks, path, ())
        _check_numbers(root, loader, path)
        return loader.construct_document(root), marks
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UserError(f"{path}{line}: not valid YAML: {problem}") from error
    except ValueError as error:  # such as a date that does not exist
        raise UserError(f"{path}: not valid YAML: {error}") from error
    finally:
        loader.dispose()


def key_path(path: KeyPath) -> str:
    """`methods.npo.epochs`, `forget_ratios[1]`: a path as a person would write it."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _visit(node: yaml.Node, at: KeyPath, marks: dict, path: Path, above: tuple) -> None:
    if node in above:
        raise UserError(f"{path}, line {node.start_mark.line + 1}: an alias refers to itself")
    above = (*above, node)
    marks[(*at, None)] = (node.end_mark.line + 1, node.end_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            marks[(*at, position)] = (item.start_mark.line + 1, item.start_mark.column + 1)
            _visit(item, (*at, position), marks, path, above)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                raise UserError(f"{path}, line {line}: merge keys (<<) are not supported; write the keys out")
            if key.tag != "tag:yaml.org,2002:str":
                shown = getattr(key, "value", None)
                shown = f"'{shown}'" if isinstance(shown, str) else "a list or mapping"
                raise UserError(f"{path}, line {line}: the key {shown} is not text; put it in quotes")
            if key.value in seen:
                raise UserError(f"{path}, line {line}: duplicate key '{key_path((*at, key.value))}'")
            seen.add(key.value)
            marks[(*at, key.value)] = (line, key.start_mark.column + 1)
            _visit(value, (*at, key.value), marks, path, above)


def _check_numbers(node: yaml.Node, loader: _Loader, path: Path) -> None:
    """Raise UserError at .nan, .inf and numbers too large to hold."""
    if isinstance(node, yaml.ScalarNode):
        if node.tag == "tag:yaml.org,2002:float" and not math.isfinite(loader.construct_yaml_float(node)):
            raise UserError(f"{path}, line {node.start_mark.line + 1}: {node.value} is not a finite number")
        return
    for child in node.value:
        for inner in child if isinstance(child, tuple) else (child,):
            _check_numbers(inner, loader, path)
