"""The numbers of tables and figures, as text, and the rows that each comes from."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from manu.analysis.figures.registry import figure_keys
from manu.analysis.origin import PLACE, Origin, Rows
from manu.analysis.tables.registry import table
from manu.core import extensions
from manu.provenance.hashes import RECORD_SUFFIX
from manu.provenance.record import read_record

_NOT_NAMED = {"study", "metric_version", "higher_is_better", "classification_protocol", "seeds", "diverged"}
_LONGEST = 40  # letters of a cell in the name of a row; longer ones are sentences
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def stage_module(record: Mapping) -> ModuleType:
    """The step that a job ran; the job's extensions are registered. Raises UserError as `extensions.add` does."""
    extensions.add(record["configuration"]["content"].get("extensions", ()))
    return import_module(record["stage"])


def is_number(text: str | None) -> bool:
    """Whether a cell holds a number."""
    return _NUMBER.fullmatch(text or "") is not None


def keys_of(record: Mapping) -> Collection[str]:
    """The columns of a job's table or figure that say what a row is about. Every other number has an origin."""
    stage_module(record)  # the table may be an extension
    options = record["options"]
    return table(options["table"]).keys if options.get("table") else figure_keys(options.get("figure"))


def named(row: Mapping[str, str], keys: Collection[str]) -> dict[str, str]:
    """The cells that tell a row from others of its file."""
    known = {key: row[key] for key in row if key in keys and key not in _NOT_NAMED}
    return {key: text for key, text in known.items() if text not in ("", "nan") and len(text) <= _LONGEST}


def row_name(row: Mapping[str, str], keys: Collection[str]) -> str:
    """A row in words: its keys."""
    return ", ".join(f"{key} {text}" for key, text in named(row, keys).items())


def origin_of(record: Mapping, row: Mapping[str, str], column: str) -> Origin | None:
    """Where a cell's number comes from; None for a key."""
    tell = getattr(stage_module(record), "origin", None)
    return tell(record["options"], row, column) if tell else None


def read_rows(files: Sequence[str], root: Path = Path()) -> Rows:
    """The rows of CSV files, parquet files and masks; of a record, one row with the cost of its job."""
    parts = (_read(root / file) for file in files)
    placed = [
        part.assign(file=file).assign(**{PLACE: np.arange(len(part))}) for file, part in zip(files, parts, strict=True)
    ]
    return Rows(pd.concat([part for part in placed if len(part)] or placed, ignore_index=True))


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".safetensors":
        from manu.analysis.pruned import read_pruned

        return read_pruned([path])
    if path.name.endswith(RECORD_SUFFIX):
        record = read_record(path)
        return pd.DataFrame([{"rule": record["rule"], **record["cost"]}])
    return pd.read_csv(path, dtype={"metric_version": str, "study": str})


def numbers_of(record: Mapping, rows: Sequence[Mapping[str, str]]) -> Iterator[tuple[Mapping, str, Origin | None]]:
    """(row, column, origin) of every number of a table or figure that is not a key."""
    keys = keys_of(record)
    for row in rows:
        for column, text in row.items():
            if is_number(text) and column not in keys:
                yield row, column, origin_of(record, row, column)
