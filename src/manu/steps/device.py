"""One GPU for one stage, on a machine where several stages run at once.

Snakemake's resource `gpu` counts how many jobs may run, but tells none of them which device is its own. So a stage
takes a device by a lock on a file of the machine; the operating system drops the lock when the process ends,
however it ends. Under a scheduler that hands out devices itself, as Slurm does, there is nothing to choose.
"""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)
PAUSE = 1.0  # seconds between two looks at devices that are all taken


@contextmanager
def own_device(needed: bool) -> Iterator[None]:
    """Make a free GPU the one that torch calls "cuda", for the block; does nothing if none is needed or there."""
    if not needed:
        yield
        return
    import torch

    with lease(torch.cuda.device_count()) as index:
        if index is not None:
            torch.cuda.set_device(index)
        yield


@contextmanager
def lease(count: int, folder: Path | None = None) -> Iterator[int | None]:
    """The index of a device that no other process has leased, of the `count` that this one sees; waits for one.

    None without a device. With a single device in CUDA_VISIBLE_DEVICES the choice is made: 0, and nothing is locked.
    folder: of the lock files; by default one of this user on this machine.
    """
    if not count:
        yield None
        return
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    if len(visible) == 1:
        yield 0
        return
    folder = folder or Path(tempfile.gettempdir()) / f"manu-devices-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = visible[:count] or list(map(str, range(count)))  # a device's name is the same for every process
    index, lock = _take_first_free([folder / f"{name}.lock" for name in names])
    with lock:
        log.info("device %s", names[index])
        yield index


def _take_first_free(paths: list[Path]) -> tuple[int, IO]:
    waiting = False
    while True:
        for index, path in enumerate(paths):
            lock = path.open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return index, lock
            except BlockingIOError:
                lock.close()
        if not waiting:
            log.info("all %d devices are taken: waiting for one", len(paths))
            waiting = True
        time.sleep(PAUSE)
