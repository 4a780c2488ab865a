"""Memory and time of a piece of work, measured in a separate process."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manu.provenance.machine import peak_memory

RESET = Path("/proc/self/clear_refs")  # Linux: writing "5" resets the peak to the present memory of the process


@dataclass(frozen=True)
class Cost:
    """seconds: of the work. peak_bytes: peak resident memory. extra_bytes: peak minus the memory before the work."""

    seconds: float
    peak_bytes: int
    extra_bytes: int


def cost_of(prepare: Callable[..., Callable[[], object]], *arguments) -> Cost:
    """Run `prepare(*arguments)`, and measure the function that it returns. prepare: a module-level function."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.subject"])  # imports torch and transformers once
    with context.Pool(1) as pool:
        return pool.apply(_measured, (prepare, arguments))


def _measured(prepare: Callable[..., Callable[[], object]], arguments: tuple) -> Cost:
    work = prepare(*arguments)
    if RESET.exists():
        RESET.write_text("5")
    before, start = _peak(), time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    return Cost(seconds, _peak(), _peak() - before)


def _peak() -> int:
    return peak_memory()["peak_memory_bytes"] or 0  # None on systems that do not report it
