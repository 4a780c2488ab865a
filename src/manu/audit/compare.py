"""Outputs compared with the same outputs computed again, cell by cell."""

from collections.abc import Collection, Sequence
from pathlib import Path

from manu.analysis.cells import read_cells
from manu.audit.findings import Report
from manu.audit.numbers import row_name
from manu.core.errors import UserError

_TEXT = (".md", ".txt", ".html")
_LENGTH = 80  # letters shown of a long line
_SHOWN = 5  # failures shown of one file; the rest are counted


def compare_output(file: str, again: Path, keys: Collection[str], report: Report) -> None:
    """Compare an output with the file `again`, computed now. keys: of a table's rows, to name them."""
    stored, suffix = Path(file), Path(file).suffix
    if not stored.is_file():
        report.fail(file, "is missing")
    elif suffix == ".csv":
        compare_csv(file, stored, again, keys, report)
    elif suffix in _TEXT:
        compare_text(file, stored.read_text(encoding="utf-8", errors="replace"), again.read_text("utf-8"), report)
    elif stored.read_bytes() != again.read_bytes():
        report.fail(file, "differs from what its step writes now from the same inputs")


def compare_csv(file: str, stored: Path, again: Path, keys: Collection[str], report: Report) -> None:
    """Compare every cell of a table. Counts "cells"."""
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
            (
                f"{file}, line {number} ({row_name(right, keys)}), column {column}",
                f"{row[column]}; computed again: {value}",
            )
            for column, value in right.items()
            if row[column] != value
        ]
    _fail_some(file, wrong, report)


def compare_text(file: str, stored: str, again: str, report: Report, first_line: int = 1) -> None:
    """Compare a text line by line, a Markdown table cell by cell. Counts "cells"."""
    old, new = stored.splitlines(), again.splitlines()
    if len(old) != len(new):
        report.fail(file, f"has {len(old)} lines; computed again: {len(new)}")
    wrong = []
    for number, (line, right) in enumerate(zip(old, new, strict=False), start=first_line):
        cells, expected = line.split("|"), right.split("|")
        report.counts["cells"] += len(expected)
        if len(cells) != len(expected):
            wrong.append((f"{file}, line {number}", _difference(line, right)))
            continue
        wrong += [
            (
                f"{file}, line {number}" + (f", cell {place}" if len(expected) > 1 else ""),
                _difference(cell.strip(), value.strip()),
            )
            for place, (cell, value) in enumerate(zip(cells, expected, strict=True))
            if cell != value
        ]
    _fail_some(file, wrong, report)


def _difference(old: str, new: str) -> str:
    """Two texts; of long ones, the part from shortly before the first difference."""
    if max(len(old), len(new)) > _LENGTH:
        pairs = enumerate(zip(old, new, strict=False))
        place = next((place for place, (one, other) in pairs if one != other), min(len(old), len(new)))
        start = max(place - _LENGTH // 4, 0)
        old, new = (f"…{text[start : start + _LENGTH]}…" for text in (old, new))
    return f"{old}; computed again: {new}"


def _fail_some(file: str, wrong: Sequence[tuple[str, str]], report: Report) -> None:
    for where, what in wrong[:_SHOWN]:
        report.fail(where, what)
    if len(wrong) > _SHOWN:
        report.fail(file, f"{len(wrong) - _SHOWN} more cells differ")
