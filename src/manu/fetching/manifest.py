"""The manifest of files that stay where they are: a small file that stands for a folder of large ones.

A job that reads weights or a benchmark gets a folder. Where that folder holds a manifest, the files lie in the folder
that it names, and the manifest, with all their checksums, is what the job's record lists as its input.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manu.core.errors import UserError
from manu.core.files import write_text
from manu.fetching.checksums import Sums

MANIFEST = "files.json"
PROCESSOR = "processor"  # of a checkpoint without a processor of its own: the folder that it is taken from


def write_manifest(
    path: Path, source: str, revision: str | None, folder: Path, sums: Sums, remarks: Mapping[str, Any]
) -> None:
    """Write the manifest `path`.

    source: repository or folder, as the study names it; revision: None of a folder; remarks: more keys, such as
    `left_out` (what the readers do not use of a benchmark, and why) and PROCESSOR.
    """
    content = {"source": source, "revision": revision, "folder": str(folder), "files": sums, **remarks}
    write_text(path, json.dumps(content, indent=1) + "\n")


def located(folder: Path) -> Path:
    """Where the files of `folder` lie: there, or in the folder that its manifest names.

    Raises UserError when a file of the manifest is gone. Contents were checked when the manifest was written.
    """
    path = Path(folder) / MANIFEST
    content = _content(folder)
    if content is None:
        return Path(folder)
    for name in content["files"]:
        if not (Path(content["folder"]) / name).is_file():
            again = f"fetch {content['source']} again: delete {path} and run the workflow"
            raise UserError(f"{Path(content['folder']) / name} is gone; {again}")
    return Path(content["folder"])


def processor_folder(folder: Path) -> Path:
    """The folder of a checkpoint's processor: that of its weights, or the one that its manifest names."""
    content = _content(folder) or {}
    return Path(content[PROCESSOR]) if PROCESSOR in content else located(folder)


def _content(folder: Path) -> dict[str, Any] | None:
    path = Path(folder) / MANIFEST
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
