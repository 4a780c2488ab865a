"""Cost of the statistics pass, compared to the forward passes by themselves and to storing all activations."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.clock import side_by_side
from benchmarks.memory import cost_of
from benchmarks.peers import stored_modality, stored_released
from benchmarks.sizes import Sizes
from benchmarks.subject import make_benchmark, measuring_batches, new_model
from benchmarks.tables import Table
from manu.core.batch import without_labels
from manu.models.base import VisionLanguageModel
from manu.neurons.measuring import BatchGroups, measure
from manu.neurons.statistics.base import Statistics
from manu.neurons.statistics.modality import ModalityStatistics
from manu.neurons.statistics.released import ReleasedStatistics

KINDS = ("modality", "released")
BARE, OURS, STORED, LOOP = (
    "forward passes alone",
    "statistics pass",
    "all activations stored",
    "stored, loop over neurons",
)
TAU = 0.1  # the studies' default
SLOWER, LARGER = 1.15, 1.1  # targets: time relative to the forward passes, memory of many samples relative to few
MB = 1e6

Pass = Callable[[BatchGroups], object]


def passes(vlm: VisionLanguageModel, kind: str) -> dict[str, Pass]:
    """Name -> one of the four passes over the batches. kind: of the statistics, one of KINDS."""
    if kind == "modality":
        cls: type[Statistics] = ModalityStatistics
        settings: dict[str, Any] = {"sites": vlm.mlp_sites(), "tau": TAU, "vision_mask": vlm.vision_mask}
        stored: Callable[..., object] = partial(stored_modality, vlm.model, **settings)
    else:
        cls, settings = ReleasedStatistics, {"sites": vlm.linear_sites()}
        stored = partial(stored_released, vlm.model, **settings)
    sites, arguments = settings["sites"], cls.own_arguments(settings)

    def ours(batches: BatchGroups) -> object:
        return measure(cls.at(sites, **arguments), vlm.model, sites, batches, vision_mask=vlm.vision_mask)

    return {
        BARE: partial(bare, vlm.model),
        OURS: ours,
        STORED: lambda batches: stored(batches=batches, loop=False),
        LOOP: lambda batches: stored(batches=batches, loop=True),
    }


@torch.inference_mode()
def bare(model: torch.nn.Module, batches: BatchGroups) -> None:
    """Run only the forward passes."""
    for group in batches.values():
        for batch in group:
            model(**without_labels(batch))


def prepared(benchmark: Path, kind: str, side: str, samples: int) -> Callable[[], object]:
    """Work: one pass over `samples` samples per set and modality. The batches are made during the pass."""
    vlm = new_model(benchmark)
    vlm.model.eval()
    batches = measuring_batches(vlm, benchmark, samples)
    return partial(passes(vlm, kind)[side], batches)


def answer(sizes: Sizes, folder: Path) -> list[Table]:
    """The tables `time` and `memory`."""
    benchmark = make_benchmark(folder / "benchmark", sizes.people)
    return [_time(sizes, benchmark), _memory(sizes, benchmark)]


def _time(sizes: Sizes, benchmark: Path) -> Table:
    vlm = new_model(benchmark)
    vlm.model.eval()
    batches = {key: list(group) for key, group in measuring_batches(vlm, benchmark, sizes.timed).items()}
    frames = []
    for kind in KINDS:
        sides = {name: partial(work, batches) for name, work in passes(vlm, kind).items()}
        times = side_by_side(sides, sizes.repeats, {OURS: SLOWER})
        times.insert(0, "kind", kind)
        times.insert(2, "samples", sizes.timed)
        frames.append(times)
    caption = (
        f"Seconds of one pass over {sizes.timed} samples per set (forget, retain) and modality; the batches are made "
        f"before. ratio: to `{BARE}` in the same round; target: of the median ratio, at most."
    )
    return Table("time", caption, pd.concat(frames, ignore_index=True))


def _memory(sizes: Sizes, benchmark: Path) -> Table:
    rows = []
    for kind in KINDS:
        for side in (BARE, OURS, STORED):
            costs = {samples: cost_of(prepared, benchmark, kind, side, samples) for samples in (sizes.few, sizes.many)}
            first = costs[sizes.few]
            for samples, cost in costs.items():
                row = {"kind": kind, "side": side, "samples": samples, "peak_mb": cost.peak_bytes / MB}
                row |= {"extra_mb": cost.extra_bytes / MB, "peak_ratio": cost.peak_bytes / first.peak_bytes}
                rows.append(row | {"target": LARGER if side == OURS and samples == sizes.many else float("nan")})
    caption = (
        "Peak resident memory of a process that only does one pass. samples: per set and modality; the batches are "
        "made during the pass. extra: memory that the pass added; ratio: to the same side with "
        f"{sizes.few} samples; target: of the ratio, at most."
    )
    return Table("memory", caption, pd.DataFrame(rows))
