"""One run of a study at a time: a lock that the system takes back when its holder ends, however that ends.

Snakemake's own lock outlives a run that is killed and must then be removed by hand; so it is switched off in the
profiles, and this one is held in its place.
"""

import fcntl
import os
from pathlib import Path
from typing import TextIO

from manu.core.errors import UserError

_held: list[TextIO] = []  # open until the process ends: closing one gives it back


def hold(study: str, folder: Path = Path(".snakemake")) -> None:
    """Hold the lock of a study until this process ends; the processes that it starts do not inherit it.

    folder: where locks lie, one file for each study, which stays. Raises UserError when another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / f"{study}.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        process = file.read().strip()
        file.close()
        raise UserError(
            f"study '{study}' is being run in this folder already, by process {process}; wait for it, or stop it"
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    _held.append(file)
