"""A study that extends another: the document of the one it names is the base, its own top-level keys replace."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from manu.core.errors import UserError
from manu.study.strict_yaml import KeyPath, read_yaml

KEY = "extends"


class Place(NamedTuple):
    """Where a key stands; places are in the order in which mistakes are told: the study itself, then its bases."""

    depth: int
    line: int
    column: int
    file: Path

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


def read_extended(path: Path, find: Callable[[str], Path]) -> tuple[Any, dict[KeyPath, Place]]:
    """The document in `path` upon those that it extends, without `extends`, and the place of each path inside it.

    find: the file of a study that is given by name or path; raises UserError. A key of the study replaces the
    base's whole key: mappings are not merged. A document that is no mapping is returned as it is.
    Raises UserError (one line) on a file that cannot be read, a base that is not there, and a circle.
    """
    return _read(path, find, ())


def _read(path: Path, find: Callable[[str], Path], above: Sequence[Path]) -> tuple[Any, dict[KeyPath, Place]]:
    document, marks = read_yaml(path)
    places = {key: Place(len(above), *mark, path) for key, mark in marks.items()}
    if not isinstance(document, dict) or KEY not in document:
        return document, places
    named, here, chain = document.pop(KEY), places[(KEY,)], (*above, path)
    if not isinstance(named, str):
        raise UserError(f"{here}: '{KEY}' must be the name or the path of one study")
    base = _base(named, here, find)
    files = [file.resolve() for file in chain]
    if base.resolve() in files:
        circle = " -> ".join(map(str, (*chain[files.index(base.resolve()) :], base)))
        raise UserError(f"{here}: '{KEY}' goes in a circle: {circle}")
    below, lower = _read(base, find, chain)
    if not isinstance(below, dict):
        raise UserError(f"{here}: '{KEY}' names {base}, which is not a mapping")
    kept = {key: place for key, place in lower.items() if key[0] is not None and key[0] not in document}
    return below | document, kept | places


def _base(named: str, here: Place, find: Callable[[str], Path]) -> Path:
    try:
        base = find(named)
    except UserError as error:
        raise UserError(f"{here}: '{KEY}': {error}") from error
    if not base.is_file():
        raise UserError(f"{here}: '{KEY}' names {base}, which is not a file")
    return base
