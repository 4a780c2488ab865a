"""The snapshots in git: every file against its checksum, and the tables that a snapshot's own files give again.

results/reference/checksums.txt lists the files of results/reference/ and figures/reference/ as `sha256sum` does. A
snapshot has no answers; of its tables and figures those are computed again whose sources are in it.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from manu.analysis.cells import csv_text, read_cells
from manu.analysis.reading import Inputs
from manu.analysis.tables.registry import table
from manu.audit import pages
from manu.audit.findings import Report
from manu.audit.numbers import is_number, row_name
from manu.core.errors import UserError
from manu.core.files import write_text
from manu.provenance.hashes import sha256_of_file
from manu.study.loading import read_study
from manu.study.model import Study
from manu.study.settings import settings_of, study_tables

FOLDERS = (Path("results/reference"), Path("figures/reference"))
CHECKSUMS = FOLDERS[0] / "checksums.txt"
IN_GIT = {"claims_file": Path("config/claims.yaml"), "reported": Path("data/reported/reported.csv")}


def write_checksums(name: str) -> None:
    """Write the checksums of one snapshot anew, and leave those of the others as they are."""
    kept = {file: checksum for file, checksum in read_checksums().items() if not _is_of(file, name)}
    new = {file: sha256_of_file(file) for file in _files() if _is_of(file, name)}
    lines = [f"{checksum}  {file}\n" for file, checksum in sorted((kept | new).items())]
    write_text(CHECKSUMS, "".join(lines))


def read_checksums() -> dict[str, str]:
    """File -> checksum. Raises UserError on a line that has neither."""
    if not CHECKSUMS.is_file():
        return {}
    pairs = [line.split("  ", 1) for line in CHECKSUMS.read_text(encoding="utf-8").splitlines()]
    if wrong := next((pair for pair in pairs if len(pair) != 2), None):
        raise UserError(f"{CHECKSUMS}: a line is no checksum and file: {wrong[0]!r}")
    return {file: checksum for checksum, file in pairs}


def check_snapshots(report: Report) -> None:
    """Check all snapshots, and the numbers that pages show of them.

    Counts "snapshots", "files", "tables", and of the tables those "computed again" with their "cells".
    """
    listed, there = read_checksums(), list(_files())
    for file in sorted({*listed, *there}):
        report.counts["files"] += 1
        if file not in there:
            report.fail(file, f"is missing; {CHECKSUMS} lists it")
        elif file not in listed:
            report.fail(file, f"is not in {CHECKSUMS}; make snapshot writes it")
        elif sha256_of_file(file) != listed[file]:
            report.fail(file, f"was changed: its checksum is not the one in {CHECKSUMS}")
    with tempfile.TemporaryDirectory() as folder:
        for snapshot in sorted(path.parent for path in FOLDERS[0].glob("*/scores.csv")):
            report.counts["snapshots"] += 1
            _check_tables(read_study(snapshot.name), Path(folder), report)
    for page, text in pages.filled():
        if text != page.read_text(encoding="utf-8"):
            report.fail(page.as_posix(), "shows other numbers than the snapshots; make pages fills them in")


def _files() -> Iterator[str]:
    found = (path for folder in FOLDERS for path in sorted(folder.rglob("*")) if path.is_file() and path != CHECKSUMS)
    return (path.as_posix() for path in found)


def _is_of(file: str, name: str) -> bool:
    return any(file.startswith(f"{folder}/{name}/") for folder in map(Path.as_posix, FOLDERS))


def _check_tables(study: Study, folder: Path, report: Report) -> None:
    """Compute the tables of a snapshot again, and compare the numbers; words may have been put better since.

    folder: for files that a snapshot may lack.
    """
    tables = study_tables(study) | study_tables(study, "robustness")

    def files(source: str, model: str) -> list[Path]:
        if source in tables:
            file = Path(tables[source].file(source, f"reference/{study.name}", model))
            if not file.is_file() and source == "diverged":  # older snapshots have none; all their models answer
                file = folder / "diverged.csv"
                write_text(file, csv_text(pd.DataFrame(columns=list(table(source).keys))))
        else:
            file = IN_GIT.get(source, Path())
        return [file] if file.is_file() else []

    for name, each in tables.items():
        for model in study.models if each.per_model else [""]:
            stored = Path(each.file(name, f"reference/{study.name}", model))
            if not stored.is_file():
                continue
            report.counts["tables"] += 1
            given = {source: files(source, model) for source in each.sources}
            if all(given[source] for source in each.needs):
                try:
                    frame = each.make(Inputs(given, model), settings_of(study, "make_table", table=name))
                except (UserError, KeyError, ValueError) as error:  # the study or its scores have changed since
                    report.notes.append(f"{stored} was not computed again: {error}")
                    continue
                report.counts["computed again"] += 1
                again = folder / "again.csv"
                write_text(again, csv_text(frame))
                _compare(stored.as_posix(), read_cells(stored), read_cells(again), each.keys, report)


def _compare(file: str, old: list[dict], new: list[dict], keys: Sequence[str], report: Report) -> None:
    if len(old) != len(new):
        report.fail(file, f"has {len(old)} rows; computed again: {len(new)}", computed=True)
        return
    rows = {row_name(row, keys): row for row in new}
    if rows.keys() == {row_name(row, keys) for row in old}:  # a study may list its methods in another order since
        new = [rows[row_name(row, keys)] for row in old]
    for row, right in zip(old, new, strict=True):
        for column in row.keys() & right.keys():
            if is_number(row[column]) and is_number(right[column]):
                report.counts["cells"] += 1
                if float(row[column]) != float(right[column]):
                    where = f"{file} ({row_name(right, keys)}), column {column}"
                    report.fail(where, f"{row[column]}; computed again: {right[column]}", computed=True)


if __name__ == "__main__":  # for a folder that no `make snapshot` writes, such as bench
    for folder_name in sys.argv[1:]:
        write_checksums(folder_name)
