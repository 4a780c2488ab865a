"""Fetching: find or download a source's files, check them, and write the manifest that stands for them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub

from manu.core.errors import UserError
from manu.fetching.checksums import CHECKSUMS, check_recorded, record_first, recorded_revision, sums_of
from manu.fetching.manifest import write_manifest
from manu.fetching.source import PIN, Source, is_commit

Remarks = Mapping[str, Any]
"""What a check found that the manifest should say, as more keys of it."""


def fetch(
    source: Source,
    repo_type: str,
    patterns: Sequence[str],
    out: Path,
    check: Callable[[Path], Remarks | None],
    first: tuple[Sequence[str], Callable[[Path], object]] | None = None,
) -> tuple[Path, int]:
    """Write the manifest `out` of a source's files; return the folder they lie in and their size in bytes.

    repo_type: the hub's, "model" or "dataset"; patterns: names of the files that belong to it; check: raises UserError
    when the folder is not what it should be, and may return remarks for the manifest; first: patterns of small files
    that are downloaded before the others, and a check of theirs. Downloaded files stay in the hub's cache (HF_HOME), a
    local folder is used as it is. Raises UserError when the files cannot be had or are not those of the first download.
    """
    if first and source.repo:
        small, check_small = first
        check_small(_downloaded(source, repo_type, small))
    folder = _local(source.path) if source.path else _downloaded(source, repo_type, patterns)
    sums = sums_of(folder, patterns)
    revision = folder.name if source.repo else None  # the cache keeps a commit's files under its hash
    if revision:
        check_recorded(source.repo, revision, folder, sums)
    remarks = check(folder) or {}
    if revision:
        record_first(source.repo, revision, sums)
    write_manifest(out, str(source), revision, folder, sums, remarks)
    return folder, sum(each["size"] for each in sums.values())


def _local(path: str) -> Path:
    if not Path(path).is_dir():
        raise UserError(f"{path}: no such folder")
    return Path(path)


def _downloaded(source: Source, repo_type: str, patterns: Sequence[str]) -> Path:
    """The folder of a repository's files in the hub's cache, downloaded unless they are there."""
    revision = source.revision
    if revision == PIN:
        revision = recorded_revision(source.repo) or "main"
        if not is_commit(revision) and huggingface_hub.is_offline_mode():
            needed = f"fetch it once with the network, or name a commit: {CHECKSUMS} records none"
            raise UserError(f"{source.repo}: no revision is pinned yet, and HF_HUB_OFFLINE forbids to ask; {needed}")
    try:
        folder = huggingface_hub.snapshot_download(
            source.repo, repo_type=repo_type, revision=revision, allow_patterns=list(patterns)
        )
    except OSError as error:  # all of the hub's errors are
        why = str(error).strip().splitlines()[0]
        where = f"{source.repo} at revision {revision}"
        raise UserError(f"{where} cannot be downloaded and is not complete in the cache: {why}") from error
    if not is_commit(Path(folder).name):
        raise UserError(f"{source.repo}: {folder} is not named after a commit, so its revision is not known")
    return Path(folder)
