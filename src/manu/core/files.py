"""Atomic writes: an output is either the old one or the new one, never a half-written one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it to `path` when the block succeeds.

    The block may create a file or a folder under the temporary name; what stood at `path`
    is replaced. When the block raises, the temporary is removed and `path` is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield holder / path.name
        if path.is_dir():  # a folder cannot be renamed over a folder that holds files
            os.replace(path, holder / f"{path.name}.old")
        os.replace(holder / path.name, path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_writable(*folders: str | os.PathLike) -> None:
    """Raise OSError for the first of these folders, or the nearest above it that exists, where nothing can be written."""
    for folder in map(Path, folders):
        there = next(each for each in (folder, *folder.parents) if each.is_dir())
        try:
            tempfile.NamedTemporaryFile(dir=there).close()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(there)) from error
