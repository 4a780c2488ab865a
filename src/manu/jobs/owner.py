"""The results of a name belong to one study file: two studies of one name would replace each other's models."""

import os
from pathlib import Path

from manu.core.errors import UserError
from manu.core.files import write_text
from manu.study.loading import MADE_BY


def check_owner(study: str, file: Path, folder: Path = MADE_BY) -> None:
    """Raise UserError if there are results of this name that another study file made, which still exists."""
    results, named = Path("results") / study, folder / f"{study}.study"
    owner = Path(named.read_text(encoding="utf-8").strip()) if named.is_file() else file
    if results.is_dir() and owner.is_file() and not owner.samefile(file):
        raise UserError(
            f"{file}: {results} belongs to the study {owner}; give one of the two files another name, "
            f"or remove {results}"
        )


def is_new(study: str, folder: Path = MADE_BY) -> bool:
    """Whether there are results of this name that no run in this folder made."""
    return (Path("results") / study).is_dir() and not (folder / f"{study}.study").is_file()


def own(study: str, file: Path, folder: Path = MADE_BY) -> None:
    """Write down that the results of this name belong to a study file."""
    write_text(folder / f"{study}.study", f"{Path(os.path.relpath(file)).as_posix()}\n")
