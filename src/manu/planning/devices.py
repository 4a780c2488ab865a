"""What jobs run on: the only numbers of a plan that are a machine's.

A card sustains UTILISATION of the dense bfloat16 peak that its data sheet gives; that share is an assumption, since no
run at the paper's scale stands in this repository. The numbers of a core are measured (docs/plan.md#constants).
"""

import os
from dataclasses import dataclass

from manu.core.errors import UserError

UTILISATION = 0.4  # of a card's peak, assumed for batches of 4 to 16 with pictures
START_SECONDS = 4.0  # of a job by itself: Python, torch, transformers; measured
FORK_SECONDS = 0.2  # of a job that is forked (manu.jobs), as on processors; measured
CORE_FLOP_PER_SECOND, CORE_LAYER_SECONDS, CORE_BANDWIDTH = 68e9, 0.39e-3, 37e9  # measured by manu.planning.calibrate
CORE_SOURCE = "one core, measured on an AMD EPYC with AVX-512"
LAYER_SECONDS_OF_CARDS = 0.7e-3  # a layer's launches from Python, assumed: 22 ms for the 32 layers of a 7B decoder
BYTES_PER_SECOND = 1e9  # of checkpoints as they are read, hashed and written, assumed
PROCESS_BYTES = 0.55e9  # resident memory of a stage before its model, on a CPU; measured
PROCESS_BYTES_WITH_CARD = 3e9  # the same where torch has loaded its CUDA libraries, assumed
CARD_BYTES = 0.6e9  # what the CUDA context takes of a card's memory, assumed


@dataclass(frozen=True)
class Device:
    """flop_per_second: sustained; layer_seconds: one layer's share of a forward or a backward pass, whatever is in the
    batch; bandwidth: of its memory, bytes per second; memory: bytes, of the card, or of the machine."""

    name: str
    flop_per_second: float
    layer_seconds: float
    bandwidth: float
    memory: float
    source: str

    @property
    def is_card(self) -> bool:
        """Whether it is a GPU, with memory of its own."""
        return self.name != CPU

    @property
    def start_seconds(self) -> float:
        """What a job takes before its work begins."""
        return START_SECONDS if self.is_card else FORK_SECONDS

    @property
    def hours(self) -> str:
        """What is spent on it."""
        return "GPU-hours" if self.is_card else "core-hours"


CPU = "cpu"
_CARDS = {  # name -> (peak in bfloat16 without sparsity in TFLOP/s, bandwidth in TB/s, memory in GB, source)
    "h200": (989, 4.8, 141, "NVIDIA H200 data sheet"),
    "h100": (989, 3.35, 80, "NVIDIA H100 SXM data sheet"),
    "a100": (312, 2.0, 80, "NVIDIA A100 80 GB data sheet"),
    "a100-40": (312, 1.55, 40, "NVIDIA A100 40 GB data sheet"),
    "l40s": (362, 0.86, 48, "NVIDIA L40S data sheet"),
    "a6000": (155, 0.77, 48, "NVIDIA RTX A6000 data sheet"),
    "rtx4090": (165, 1.0, 24, "NVIDIA Ada whitepaper"),
}


def known_devices() -> list[str]:
    """Names of all devices."""
    return [CPU, *_CARDS]


def device(name: str) -> Device:
    """A device by its name; `cpu` is one core of this machine. Raises UserError that lists the known ones."""
    if name == CPU:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Device(CPU, CORE_FLOP_PER_SECOND, CORE_LAYER_SECONDS, CORE_BANDWIDTH, memory, CORE_SOURCE)
    if name not in _CARDS:
        raise UserError(f"unknown device '{name}'; known: {', '.join(known_devices())}")
    peak, bandwidth, memory, source = _CARDS[name]
    said = f"{UTILISATION:.0%} of {peak} TFLOP/s, {source}"
    return Device(name, UTILISATION * peak * 1e12, LAYER_SECONDS_OF_CARDS, bandwidth * 1e12, memory * 1e9, said)
