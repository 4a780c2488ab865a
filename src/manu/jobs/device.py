"""One GPU for one job, on a machine where several jobs run at once.

Snakemake's resource `gpu` limits how many jobs run, but gives none of them a device of its own. So each job locks a
file that stands for its device; the system releases the lock when the process ends, even if it is killed. A scheduler
that assigns devices itself, such as Slurm, leaves nothing to choose.
"""

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from manu.core.errors import UserError

log = logging.getLogger(__name__)
PAUSE = 1.0  # seconds between two attempts while all devices are taken


@contextmanager
def own_device(needed: bool, spread: bool = False) -> Iterator[None]:
    """Within the block, torch's "cuda" is a GPU that no other job has; does nothing if none is needed or present.

    spread: the job's model is spread over all GPUs that it sees, so it waits until no other job has any of them.
    """
    if not needed:
        yield
        return
    import torch

    if spread:
        count = torch.cuda.device_count()
        with lease_several(count, count):
            yield
        return
    with lease(torch.cuda.device_count()) as index:
        if index is not None:
            torch.cuda.set_device(index)
        yield


@contextmanager
def lease(count: int, folder: Path | None = None) -> Iterator[int | None]:
    """Yield the index of a device that no other process has leased; wait while all are taken.

    count: of devices that this process sees; 0 yields None. With a single device in CUDA_VISIBLE_DEVICES there is no
    choice: yields 0 and locks nothing. folder: of the lock files; by default one per user and machine.
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
    names = visible[:count] or list(map(str, range(count)))  # every process calls a device by the same name
    index, held = _lock_first_free([folder / f"{name}.lock" for name in names])
    with held:
        log.info("device %s", names[index])
        yield index


@contextmanager
def lease_several(wanted: int, count: int, folder: Path | None = None) -> Iterator[list[int]]:
    """As `lease`, for `wanted` devices at once; none where there are none. Raises UserError where there are too few."""
    if count and wanted > count:
        raise UserError(f"'processes' is {wanted}, each on a GPU of its own; this job has {count}")
    with ExitStack() as held:
        with _turn():
            indices = [held.enter_context(lease(count, folder)) for _ in range(wanted if count else 0)]
        yield [index for index in indices if index is not None]


@contextmanager
def _turn() -> Iterator[None]:
    """One job at a time: two jobs that each hold half of the devices would wait for each other forever."""
    with FileLock(Path(tempfile.gettempdir()) / f"manu-several-devices-{os.getuid()}.lock"):
        yield


def _lock_first_free(paths: list[Path]) -> tuple[int, AbstractContextManager]:
    """Lock one of these files, waiting if necessary; leaving the context releases it."""
    locks = [FileLock(path) for path in paths]
    waiting = False
    while True:
        for index, lock in enumerate(locks):
            with suppress(Timeout):
                return index, lock.acquire(blocking=False)
        if not waiting:
            log.info("all %d devices are taken: waiting for one", len(paths))
            waiting = True
        time.sleep(PAUSE)
