"""Runs whose training diverged: the checkpoint is marked, and the answers files record it instead of answers.

A diverged training is a result of the study. Its model is not evaluated.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from manu.core.errors import UserError
from manu.core.files import atomic_path, write_text

MARK = "diverged.json"  # in the folder of the checkpoint
KEYS = ("study", "model", "method", "forget_ratio", "seed")
_METADATA = b"diverged"


def mark(checkpoint: Path, why: str) -> None:
    """Mark a checkpoint as diverged. Its weights are those at which the loss was not finite. why: one line of text."""
    write_text(checkpoint / MARK, f"{json.dumps({'why': why})}\n")


def marked(checkpoint: Path) -> str | None:
    """The reason why a checkpoint's training diverged, or None when it did not."""
    file = Path(checkpoint) / MARK
    return json.loads(file.read_text(encoding="utf-8"))["why"] if file.is_file() else None


def write_unanswered(path: Path, config: Mapping, why: str) -> None:
    """Write an answers file (parquet) with the columns KEYS and no rows. Its metadata lists the diverged runs.

    config: the job's study, model, method, seed and ratios.
    """
    keys = {key: config[key] for key in KEYS if key in config}
    runs = [keys | {"forget_ratio": ratio, "why": why} for ratio in config["ratios"]]
    table = pa.Table.from_pylist(runs).select(KEYS).slice(0, 0)
    with atomic_path(path) as temporary:
        pyarrow.parquet.write_table(table.replace_schema_metadata({_METADATA: json.dumps(runs)}), temporary)


def unanswered(path: Path) -> list[dict]:
    """The diverged runs of an answers file (KEYS and `why`), or [] when the file holds answers.

    Raises FileNotFoundError, and UserError when the file is not parquet.
    """
    try:
        metadata = pyarrow.parquet.read_schema(path).metadata or {}
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} is not a parquet file of answers") from error
    return json.loads(metadata.get(_METADATA, b"[]"))
