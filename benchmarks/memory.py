"""What a piece of work takes in memory: run in a process of its own, which does nothing else."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manu.provenance.machine import peak_memory

RESET = Path("/proc/self/clear_refs")  # Linux: "5" sets the process's peak back to what it holds now


@dataclass(frozen=True)
class Cost:
    """seconds: of the work; peak_bytes: highest resident memory while it ran; extra_bytes: how much of it was not there
    before the work began, when everything was prepared."""

    seconds: float
    peak_bytes: int
    extra_bytes: int


def cost_of(prepare: Callable[..., Callable[[], object]], *arguments) -> Cost:
    """Run `prepare(*arguments)`, a function of a module, and then what it returns, and measure the second."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.subject"])  # torch and transformers are imported once
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
    return peak_memory()["peak_memory_bytes"]
