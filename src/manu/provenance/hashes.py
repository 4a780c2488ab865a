"""Checksums of files, and which files a path given to a stage stands for."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from manu.core.errors import UserError

RECORD_SUFFIX = ".provenance.json"
_BESIDE = (RECORD_SUFFIX, ".yaml")  # what the workflow puts beside outputs: never an input or output itself


def sha256_of_file(path: str | os.PathLike) -> str:
    """Hexadecimal sha256 of a file's bytes. Raises UserError when it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); the workflow makes it: make study") from error


def sha256_of_json(value: Any) -> str:
    """Hexadecimal sha256 of a JSON value, whatever the order of its keys and its layout."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def files_of(path: str | os.PathLike) -> list[Path]:
    """The file itself; of a folder every file below it, sorted, without hidden ones, records and configurations."""
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = (file for file in path.rglob("*") if file.is_file() and not file.name.endswith(_BESIDE))
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts))


def hashes_of(paths: Iterable[str | os.PathLike]) -> dict[str, str]:
    """sha256 of each file that the paths stand for, by its path relative to the working folder."""
    files = (file for path in paths for file in files_of(path))
    return {Path(os.path.relpath(file)).as_posix(): sha256_of_file(file) for file in files}
