"""Checksums of downloaded files, recorded at the first download in a file that is kept, and held to ever after."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypedDict

from manu.core.errors import UserError
from manu.core.files import write_text
from manu.provenance.hashes import sha256_of_file

CHECKSUMS = Path("config/checksums")
_KEYS: tuple[Literal["size", "sha256"], ...] = ("size", "sha256")


class Sum(TypedDict):
    """Size in bytes and checksum of a file."""

    size: int
    sha256: str


Sums = Mapping[str, Sum]
"""The files of a folder by their paths inside it."""


def sums_of(folder: Path, patterns: Iterable[str]) -> dict[str, Sum]:
    """`Sums` of the files below `folder` whose names fit one of the patterns, sorted."""
    found = sorted({file for pattern in patterns for file in Path(folder).rglob(pattern) if file.is_file()})
    return {
        file.relative_to(folder).as_posix(): {"size": file.stat().st_size, "sha256": sha256_of_file(file)}
        for file in found
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    }


def record_of(repo: str, revision: str) -> Path:
    """Where the checksums of a repository's files at a revision are kept."""
    return CHECKSUMS / f"{repo.replace('/', '--')}@{revision}.json"


def recorded_revision(repo: str) -> str | None:
    """The revision of `repo` whose checksums are recorded, or None. Raises UserError when there are several."""
    start = record_of(repo, "").stem
    found = sorted(file.stem.removeprefix(start) for file in CHECKSUMS.glob(f"{start}*.json"))
    if len(found) > 1:
        raise UserError(f"{repo}: {CHECKSUMS} records the revisions {', '.join(found)}; name one of them in the study")
    return found[0] if found else None


def check_recorded(repo: str, revision: str, folder: Path, sums: Sums) -> None:
    """Hold the files of a download to their recorded checksums, if there are any yet.

    Raises UserError naming the first file that is missing, unknown or not the recorded one.
    """
    record = record_of(repo, revision)
    if not record.is_file():
        return
    known = json.loads(record.read_text(encoding="utf-8"))
    if absent := sorted(known.keys() - sums.keys()):
        raise UserError(f"{folder / absent[0]} is missing; {record} has it: download {repo} again")
    if surplus := sorted(sums.keys() - known.keys()):
        raise UserError(f"{folder / surplus[0]} is not among the files of {record}: remove it")
    for name, expected in known.items():
        for what in _KEYS:
            if sums[name][what] != expected[what]:
                found = f"{what} {sums[name][what]}, expected {expected[what]} ({record})"
                raise UserError(f"{folder / name} is not the file that was first downloaded: {found}")


def record_first(repo: str, revision: str, sums: Sums) -> None:
    """Record the checksums of a first download; what is recorded already stays."""
    record = record_of(repo, revision)
    if not record.is_file():
        write_text(record, json.dumps(sums, indent=1, sort_keys=True) + "\n")
