"""Tables as they are audited: cell by cell, as text, and the rows that a number comes from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pandas as pd

from manu.analysis.cells import read_cells
from manu.analysis.origin import PLACE, Origin, Rows
from manu.audit.findings import Report
from manu.core import extensions
from manu.core.errors import UserError
from manu.provenance.hashes import RECORD_SUFFIX
from manu.provenance.record import read_record

# Columns that say what a row is about; every other number has to come from somewhere.
KEY_COLUMNS = {
    "study",
    "model",
    "method",
    "forget_ratio",
    "seed",
    "seeds",
    "runs",
    "split",
    "modality",
    "task",
    "metric",
    "metric_version",
    "higher_is_better",
    "prune_ratio",
    "classification_protocol",
    "unit",
    "site",
    "part",
    "layer",
    "index",
    "place",
    "statistic",
    "source",
    "other_method",
    "significant",
    "our_forget_ratio",
    "group",
    "claim",
    "threshold",
    "cells",
    "verdict",
    "measure",
    "trial",
    "attack",
    "condition",
    "lessons",
    "steps",
    "order",
    "after",
    "diverged",
}
_UNTOLD = {"study", "metric_version", "higher_is_better", "classification_protocol", "seeds", "diverged"}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_SHOWN = 5  # failures shown of one file; the rest are counted


def stage_module(record: Mapping) -> ModuleType:
    """The stage that a job ran, and the job's extensions known to it. Raises UserError as `extensions.add` does."""
    extensions.add(record["configuration"]["content"].get("extensions", ()))
    return import_module(record["stage"])


def is_number(text: str | None) -> bool:
    """Whether a cell holds a number."""
    return bool(text) and _NUMBER.fullmatch(text) is not None


def row_name(row: Mapping[str, str]) -> str:
    """A row in words: the keys that tell it from others of its file."""
    if "place" in row:
        return row["place"]
    return ", ".join(f"{key} {row[key]}" for key in row if key in KEY_COLUMNS - _UNTOLD and row[key] not in ("", "nan"))


def origin_of(record: Mapping, row: Mapping[str, str], column: str) -> Origin | None:
    """Where a cell's number comes from, as its stage tells; None for a key."""
    tell = getattr(stage_module(record), "origin", None)
    return tell(record["options"], row, column) if tell else None


def read_rows(files: Sequence[str], root: Path = Path()) -> Rows:
    """The rows of CSV, parquet or mask files; of a record one, with what the job cost."""
    parts = (_read(root / file) for file in files)
    placed = [part.assign(**{"file": file, PLACE: range(len(part))}) for file, part in zip(files, parts, strict=True)]
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


def compare_csv(file: str, stored: Path, again: Path, report: Report) -> None:
    """Every cell of a table against the table computed again. Counts "cells"."""
    try:
        old, new = read_cells(stored), read_cells(again)
    except UserError as error:
        report.fail(file, str(error))
        return
    heads = [list(rows[0]) if rows else [] for rows in (old, new)]
    if heads[0] != heads[1]:
        report.fail(file, f"has the columns {', '.join(heads[0])}; computed again: {', '.join(heads[1])}")
        return
    if len(old) != len(new):
        report.fail(file, f"has {len(old)} rows; computed again: {len(new)}")
    wrong = []
    for number, (row, right) in enumerate(zip(old, new, strict=False), start=2):
        report.counts["cells"] += len(right)
        wrong += [
            (f"{file}, line {number} ({row_name(right)}), column {column}", f"{row[column]}; computed again: {value}")
            for column, value in right.items()
            if row[column] != value
        ]
    _fail_some(file, wrong, report)


def compare_text(file: str, stored: str, again: str, report: Report, first_line: int = 1) -> None:
    """A text against the text computed again, line by line; in a Markdown table cell by cell. Counts "cells"."""
    old, new = stored.splitlines(), again.splitlines()
    if len(old) != len(new):
        report.fail(file, f"has {len(old)} lines; computed again: {len(new)}")
    wrong = []
    for number, (line, right) in enumerate(zip(old, new, strict=False), start=first_line):
        cells, expected = line.split("|"), right.split("|")
        report.counts["cells"] += len(expected)
        if len(cells) != len(expected):
            wrong.append((f"{file}, line {number}", f"{line!r}; computed again: {right!r}"))
            continue
        wrong += [
            (
                f"{file}, line {number}" + (f", cell {place}" if len(expected) > 1 else ""),
                f"{cell.strip()}; computed again: {value.strip()}",
            )
            for place, (cell, value) in enumerate(zip(cells, expected, strict=True))
            if cell != value
        ]
    _fail_some(file, wrong, report)


def _fail_some(file: str, wrong: Sequence[tuple[str, str]], report: Report) -> None:
    for where, what in wrong[:_SHOWN]:
        report.fail(where, what)
    if len(wrong) > _SHOWN:
        report.fail(file, f"{len(wrong) - _SHOWN} more cells differ")


def numbers_of(record: Mapping, rows: Sequence[Mapping[str, str]]) -> Iterator[tuple[Mapping, str, Origin | None]]:
    """(row, column, origin) of every number of a table that is not a key."""
    for row in rows:
        for column, text in row.items():
            if is_number(text) and column not in KEY_COLUMNS:
                yield row, column, origin_of(record, row, column)
