"""One run of a study at a time: a lock that the system releases when the process ends, even if it is killed.

Snakemake's own lock outlives a killed run and must then be removed by hand. The profiles switch it off, and this lock
takes its place.
"""

import os
from pathlib import Path

from filelock import FileLock, Timeout

from manu.core.errors import UserError

_held: list[FileLock] = []  # a lock that is garbage-collected is released


def hold(study: str, folder: Path = Path(".snakemake")) -> None:
    """Lock a study until this process ends; child processes do not inherit the lock.

    folder: of the lock files, one per study; a file stays and holds the id of the last process that locked it.
    Raises UserError, which names that process, when another run holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{study}.lock"
    lock = FileLock(file, fallback_to_soft=False)  # the fallback would not be released when a process is killed
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        process = file.read_text(encoding="utf-8").strip()
        raise UserError(
            f"study '{study}' is being run in this folder already, by process {process}; wait for it, or stop it"
        ) from error
    file.write_text(str(os.getpid()), encoding="utf-8")
    _held.append(lock)
