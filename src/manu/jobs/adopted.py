"""Results that were made in another folder, such as a copy or an unpacked release: their records say what is finished.

Snakemake knows what it has run itself, and judges other files by their dates, which a copy changes. Here the dates are
set after the records: the outputs of a job whose record holds are newer than what it read; those of a job whose record
does not hold are older, so that it runs again.
"""

import os
import time
from pathlib import Path

from manu.core.errors import UserError
from manu.provenance.hashes import RECORD_SUFFIX, sha256_of_file
from manu.provenance.lineage import files, made_from, ordered, producers
from manu.provenance.record import read_record

TOPS = ("data", "results", "figures")
OLD = 1  # a date before all others; Snakemake takes 0 for no date


def adopt(study: str) -> tuple[int, int]:
    """Set the dates of a study's outputs after its records; returns how many records hold, and how many there are.

    A record holds when every file that it names is there and unchanged, package files and settings included, and when
    the records of the jobs whose outputs it read hold.
    """
    records = {}
    for path in (path for top in TOPS for path in sorted((Path(top) / study).rglob(f"*{RECORD_SUFFIX}"))):
        try:
            records[path.as_posix()] = read_record(path)
        except UserError:  # edited, or of an older version: its job runs again
            os.utime(path, (OLD, OLD))
    made, found, holds, now = producers(records), dict[str, str | None](), set[str](), time.time()

    def checksum(file: str) -> str | None:
        if file not in found:
            found[file] = sha256_of_file(file) if Path(file).is_file() else None
        return found[file]

    for place, name in enumerate(ordered(records)):
        record = records[name]
        configuration, outputs = record["configuration"], files(record["outputs"])
        named = files(record["inputs"]) | outputs | record["sources"]
        named[configuration["path"]] = configuration["sha256"]
        same = all(checksum(file) == known for file, known in named.items())
        if same and holds.issuperset(made_from(record, made)):
            holds.add(name)
        date = now + place / 1000 if name in holds else OLD
        for file in (*outputs, name):
            if Path(file).exists():
                os.utime(file, (date, date))
    return len(holds), len(records)
