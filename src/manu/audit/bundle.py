"""The release bundle: one archive with all files that an audit needs, without checkpoints."""

import gzip
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

from manu.audit.chain import LEFT_OUT, TOPS, Chain
from manu.core.errors import UserError
from manu.core.files import atomic_path
from manu.provenance.lineage import files
from manu.study.loading import BUNDLE, STUDIES, read_study, study_files, study_path

# Code, configuration and documents in a bundle beside the study; of a folder, the files in git.
PARTS = (
    "Makefile",
    "Snakefile",
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "pyproject.toml",
    "requirements.lock",
    "environment.yml",
    "config",
    "workflow",
    "profiles",
    "src",
    "docs",
    "data/language",
    "data/reported",
)
_NEVER = ("__pycache__", ".egg-info", ".pyc")


def write_bundle(given: str, out: Path) -> tuple[int, list[str]]:
    """Write a study's bundle (tar.gz) atomically to `out`; return the number of its files, and the files left out.

    given: the study's name or file. The same study gives the same bytes: names are sorted, times and owners are left
    out. Raises UserError if a file that a record names is missing.
    """
    study = read_study(given).name
    chain = Chain(study)
    if not chain.jobs:
        raise UserError(f"study '{study}' has no records here; run: make study STUDY={study}")
    written = {file: checksum for record in chain.jobs.values() for file, checksum in files(record["outputs"]).items()}
    left_out = {file: checksum for file, checksum in sorted(written.items()) if LEFT_OUT in file}
    missing = [file for file in written if file not in left_out and not Path(file).is_file()]
    if missing:
        raise UserError(f"{missing[0]} is missing; run: make study STUDY={study}")
    paths = {path for part in PARTS for path in _tracked(part)}
    sources = {Path(file) for record in chain.jobs.values() for file in record["sources"]}
    # extensions too; an audit looks for those outside this folder at their own paths
    paths |= {path for path in sources if path.is_file() and ".." not in path.parts}
    for top in TOPS:
        found = (path for path in (Path(top) / study).rglob("*") if path.is_file())
        paths |= {path for path in found if path.as_posix() not in left_out and not _hidden(path)}
        paths |= set(_tracked(f"{top}/README.md")) | set(_tracked(f"{top}/reference"))
    named = {path.as_posix(): path for path in paths} | {_place(path): path for path in study_files(given)}
    content = {"study": study, "file": _place(study_path(given)), "left_out": left_out}
    listed = json.dumps(content, indent=1).encode("utf-8")
    top = f"manu-{study}"
    with (
        atomic_path(out) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        _add(archive, f"{top}/{BUNDLE}", listed)
        for place, path in sorted(named.items()):
            if path.is_symlink():
                link = tarfile.TarInfo(f"{top}/{place}")
                link.type, link.linkname = tarfile.SYMTYPE, str(path.readlink())
                archive.addfile(link)
            else:
                _add(archive, f"{top}/{place}", path.read_bytes())
    return len(named) + 1, list(left_out)


def _place(study_file: Path) -> str:
    """Where a study's file lies in the bundle: at its own place, or in config/studies/ if it is from elsewhere."""
    own = Path(os.path.relpath(study_file))
    return (STUDIES / own.name if ".." in own.parts else own).as_posix()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def _tracked(part: str) -> list[Path]:
    """The files of a part that are in git; without git, all files."""
    path = Path(part)
    if path.is_symlink() or path.is_file():
        return [path]
    if not path.is_dir():
        return []
    listed = subprocess.run(["git", "ls-files", "-z", "--", part], capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [path for path in map(Path, listed.stdout.split("\0")) if path.is_file()]  # some may be deleted
    return [path for path in path.rglob("*") if path.is_file() and not _hidden(path)]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part.endswith(_NEVER) for part in path.parts)
