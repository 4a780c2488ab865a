"""Read a YAML file strictly: no duplicate keys, text keys only, finite numbers, and the place of each key."""

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from manu.core.errors import UserError

KeyPath = tuple[str | int | None, ...]  # keys and list positions from the top; a last None is the end of a mapping


class Place(NamedTuple):
    """Where a key stands. Places sort in the order in which mistakes are reported: a study before its bases."""

    depth: int  # 0: the study itself, 1: the study that it extends, and so on
    line: int
    column: int
    file: Path

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number (YAML 1.2); YAML 1.1 takes it for text."""


_FLOAT, _INT, _BOOL = (f"tag:yaml.org,2002:{kind}" for kind in ("float", "int", "bool"))
_DIFFERENT = {_INT: "a number", _FLOAT: "a number", _BOOL: "true or false"}
_ALIKE = {  # what both versions of YAML read alike
    _INT: re.compile(r"[-+]?(0|[1-9][0-9]*)"),
    _FLOAT: re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
    _BOOL: re.compile(r"true|True|TRUE|false|False|FALSE"),
}
_Loader.add_implicit_resolver(_FLOAT, re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789"))


def read_yaml(path: Path, depth: int = 0) -> tuple[Any, dict[KeyPath, Place]]:
    """The document in `path`, and the place of every path inside it; lines and columns count from 1.

    Raises UserError (one line, with the line number) when the file is missing, is not UTF-8 YAML, has a duplicate
    key, a key that is not text, or a number that is not finite.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text") from error
    loader = _Loader(text)
    places: dict[KeyPath, Place] = {}

    def place(mark: yaml.Mark) -> Place:
        return Place(depth, mark.line + 1, mark.column + 1, path)

    def visit(node: yaml.Node, at: KeyPath, above: tuple[yaml.Node, ...]) -> None:
        here = place(node.start_mark)
        if node in above:
            raise UserError(f"{here}: an alias refers to itself")
        places[(*at, None)] = place(node.end_mark)
        if isinstance(node, yaml.SequenceNode):
            for position, item in enumerate(node.value):
                places[(*at, position)] = place(item.start_mark)
                visit(item, (*at, position), (*above, node))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                _check_key(key, at, places, place(key.start_mark))
                places[(*at, key.value)] = place(key.start_mark)
                visit(value, (*at, key.value), (*above, node))
        elif (
            isinstance(node, yaml.ScalarNode) and node.tag in _DIFFERENT and not _ALIKE[node.tag].fullmatch(node.value)
        ):
            raise UserError(
                f"{here}: {node.value} is {_DIFFERENT[node.tag]} in YAML 1.1 and something else in YAML 1.2; write it "
                "as a plain decimal number, as true or false, or in quotes"
            )
        elif (
            isinstance(node, yaml.ScalarNode)
            and node.tag == _FLOAT
            and not math.isfinite(loader.construct_yaml_float(node))
        ):
            raise UserError(f"{here}: {node.value} is not a finite number")

    try:
        root = loader.get_single_node()
        if root is None:
            return None, places
        visit(root, (), ())
        return loader.construct_document(root), places
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UserError(f"{path}{line}: not valid YAML: {problem}") from error
    except ValueError as error:  # such as a date that does not exist
        raise UserError(f"{path}: not valid YAML: {error}") from error
    finally:
        loader.dispose()


def _check_key(key: yaml.Node, at: KeyPath, places: dict[KeyPath, Place], here: Place) -> None:
    if key.tag == "tag:yaml.org,2002:merge":
        raise UserError(f"{here}: merge keys (<<) are not supported; write the keys out")
    if key.tag != "tag:yaml.org,2002:str":
        shown = f"'{key.value}'" if isinstance(key, yaml.ScalarNode) else "a list or mapping"
        raise UserError(f"{here}: the key {shown} is not text; put it in quotes")
    if (*at, key.value) in places:
        raise UserError(f"{here}: duplicate key '{key_path((*at, key.value))}'")


def key_path(path: KeyPath) -> str:
    """A path as a person would write it: `methods.npo.epochs`, `forget_ratios[1]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
