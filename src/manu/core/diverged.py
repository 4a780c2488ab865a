"""A training that diverged is a result: its checkpoint is marked, its model is never asked, and the files that would
hold its answers say so."""

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
    """Mark a checkpoint's folder: its weights are those at which the loss was no number."""
    write_text(checkpoint / MARK, f"{json.dumps({'why': why})}\n")


def marked(checkpoint: Path) -> str | None:
    """Why a checkpoint's training diverged; None where it did not."""
    file = Path(checkpoint) / MARK
    return json.loads(file.read_text(encoding="utf-8"))["why"] if file.is_file() else None


def write_unanswered(path: Path, config: Mapping, why: str) -> None:
    """Write a file without answers (parquet): no row, the columns KEYS, and in its metadata the runs that it is of.

    config: study, model, method, seed and ratios of the job.
    """
    keys = {key: config[key] for key in KEYS if key in config}
    runs = [keys | {"forget_ratio": ratio, "why": why} for ratio in config["ratios"]]
    table = pa.Table.from_pylist(runs).select(KEYS).slice(0, 0)
    with atomic_path(path) as temporary:
        pyarrow.parquet.write_table(table.replace_schema_metadata({_METADATA: json.dumps(runs)}), temporary)


def unanswered(path: Path) -> list[dict]:
    """The runs, KEYS and `why`, of which a file of answers holds none because they diverged; [] where it holds answers.

    Raises FileNotFoundError, and UserError where it is no parquet file.
    """
    try:
        metadata = pyarrow.parquet.read_schema(path).metadata or {}
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} is not a parquet file of answers") from error
    return json.loads(metadata.get(_METADATA, b"[]"))
