"""What the statistics pass costs beside the bare forward passes over the same batches, and beside storing everything."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from benchmarks.clock import side_by_side
from benchmarks.memory import cost_of
from benchmarks.peers import stored_modality, stored_released
from benchmarks.sizes import Sizes
from benchmarks.subject import make_benchmark, measuring_batches, new_model
from benchmarks.tables import Table
from manu.models.base import VisionLanguageModel
from manu.neurons.measuring import BatchGroups, measure_modality, measure_released

KINDS = ("modality", "released")
BARE, OURS, STORED, LOOP = (
    "forward passes alone",
    "statistics pass",
    "all activations stored",
    "stored, loop over neurons",
)
TAU = 0.1  # the studies' default
SLOWER, LARGER = 1.15, 1.1  # targets: time beside bare passes, memory of many samples beside few
MB = 1e6

Pass = Callable[[BatchGroups], object]


def passes(vlm: VisionLanguageModel, kind: str) -> dict[str, Pass]:
    """The four ways over the batches, by name."""
    model = vlm.model
    if kind == "modality":
        sites, settings = vlm.mlp_sites(), {"tau": TAU, "vision_mask": vlm.vision_mask}
        ours, stored = measure_modality, stored_modality
    else:
        sites, settings = vlm.linear_sites(), {}
        ours, stored = measure_released, stored_released
    return {
        BARE: partial(bare, model),
        OURS: lambda batches: ours(model, sites, batches, **settings),
        STORED: lambda batches: stored(model, sites, batches, **settings, loop=False),
        LOOP: lambda batches: stored(model, sites, batches, **settings, loop=True),
    }


@torch.inference_mode()
def bare(model: torch.nn.Module, batches: BatchGroups) -> None:
    """Nothing but the forward passes."""
    for group in batches.values():
        for batch in group:
            model(**{name: tensor for name, tensor in batch.items() if name != "labels"})


def prepared(benchmark: Path, kind: str, side: str, samples: int) -> Callable[[], object]:
    """One pass of one side over so many samples of each set and modality, ready to run; batches are made on the way."""
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
        found = side_by_side(sides, sizes.repeats, {OURS: SLOWER})
        found.insert(0, "kind", kind)
        found.insert(2, "samples", sizes.timed)
        frames.append(found)
    caption = (
        f"Seconds of one pass over {sizes.timed} samples of each set (forget, retain) and modality, the batches made "
        f"beforehand; ratio: to `{BARE}` of the same round; target: of the median ratio, at most."
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
        "Highest resident memory of a process that does one pass and nothing else, over so many samples of each set and "
        "modality, batches made on the way; extra: what of it came with the pass; ratio: to the same side with "
        f"{sizes.few} samples; target: of the ratio, at most."
    )
    return Table("memory", caption, pd.DataFrame(rows))
