"""Atomic writes: an output file is either the old one or the new one, never half written."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame


@contextmanager
def atomic_path(path: str | PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block succeeds.

    The block may create a file or a folder at the temporary path; it replaces the old one at `path`.
    When the block raises, the temporary file is removed and `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield holder / path.name
        if path.is_dir():  # a rename cannot replace a folder that holds files
            path.replace(holder / f"{path.name}.old")
        (holder / path.name).replace(path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def write_text(path: str | PathLike[str], text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_parquet(path: str | PathLike[str], table: "DataFrame") -> None:
    """Write a data frame to `path` as parquet, atomically."""
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def check_writable(*folders: str | PathLike[str]) -> None:
    """Raise OSError for the first folder that cannot be written to.

    For a folder that does not exist yet, the nearest existing parent is tried.
    """
    for folder in map(Path, folders):
        existing = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
        try:
            tempfile.NamedTemporaryFile(dir=existing).close()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(existing)) from error
