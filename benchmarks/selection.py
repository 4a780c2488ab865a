"""What choosing neurons costs at LLaVA-1.5-7B's size: every importance function and every variant of the default ablation."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from benchmarks.clock import side_by_side
from benchmarks.memory import cost_of
from benchmarks.sizes import Sizes
from benchmarks.statistics import MB
from benchmarks.tables import Table
from manu.neurons.importance import FUNCTIONS, each_importance, importance, score
from manu.neurons.selection import select_top
from manu.neurons.statistics import ALL, SETS, RunningStatistics, Sums
from manu.neurons.table import neurons_table
from manu.steps.models import prepare_torch
from manu.study.loading import load_study
from manu.unlearning.registry import create_method

LLAVA_7B = {f"language.{i}": 11008 for i in range(32)} | {f"vision.{i}": 4096 for i in range(24)}
STUDY = "mini"  # whose ablation it is
SECONDS, BYTES = 2.0, 1e9  # targets, of one selection

SORTED = "sorting the scores alone"


def widths(every: int = 1) -> dict[str, int]:
    """Neurons of LLaVA-1.5-7B's MLPs, of one of so many."""
    return dict(list(LLAVA_7B.items())[::every])


def made_up_statistics(sites: dict[str, int], milestones: tuple[int, ...] = ()) -> RunningStatistics:
    """Sums that no model made, all different, of as many samples as the largest milestone."""
    statistics = RunningStatistics(sites, tau=0.1, milestones=milestones)
    generator = torch.Generator().manual_seed(0)
    for (*_, limit), sums in statistics._sums.items():
        sums.count = limit or max(milestones, default=100)
        for name in Sums.TENSORS:
            getattr(sums, name).uniform_(1, 10, generator=generator)
    return statistics


def variants() -> dict[str, dict]:
    """The variants of the study's ablation: method and settings by name."""
    return load_study(STUDY)["ablation"]["variants"]


def variant_statistics(sites: dict[str, int]) -> RunningStatistics:
    """Sums as the ablation needs them: at each number of samples that a variant asks for, too."""
    numbers = {each["settings"].get("samples", ALL) for each in variants().values()}
    return made_up_statistics(sites, tuple(sorted(numbers - {ALL})))


def answer(sizes: Sizes, folder: Path) -> list[Table]:
    """The tables `functions`, `variants` and `memory`."""
    prepare_torch(seed=0)
    sites = widths(sizes.every_site)
    statistics = variant_statistics(sites)
    return [
        _functions(statistics, sizes.few_repeats),
        _variants(statistics, sizes.few_repeats),
        _memory(sites),
    ]


def _functions(statistics: RunningStatistics, repeats: int) -> Table:
    def chosen(functions: tuple[str, ...]) -> None:
        select_top(score(*(importance(statistics, data_set, functions) for data_set in SETS)), prune_ratio=10)

    sides = {SORTED: partial(_sort, score(*(importance(statistics, data_set) for data_set in SETS)))}
    sides |= {name: partial(chosen, (name,)) for name in FUNCTIONS}
    sides["all four"] = partial(chosen, tuple(FUNCTIONS))
    sides["every importance alone"] = partial(each_importance, statistics)
    published = create_method("manu", {"prune_ratio": 10})
    sides["as published"] = partial(published.select, statistics)
    sides["table of the neurons pruned"] = partial(neurons_table, published.select(statistics))
    caption = (
        f"Seconds to score and rank {sum(statistics.widths.values())} neurons by one importance function, and by the "
        "sum of all; to have every importance alone, as the table of pruned neurons shows them; of all this together, as a "
        f"method selects (10 percent); and of that table, to make it; ratio: to `{SORTED}` of the same round."
    )
    return Table("functions", caption, side_by_side(sides, repeats))


def _variants(statistics: RunningStatistics, repeats: int) -> Table:
    sides = {SORTED: partial(_sort, score(*(importance(statistics, data_set) for data_set in SETS)))}
    for name, variant in variants().items():
        sides[name] = partial(create_method(variant["method"], variant["settings"]).select, statistics)
    found = side_by_side(sides, repeats)
    found["target_seconds"] = SECONDS
    caption = (
        f"Seconds of one selection among {sum(statistics.widths.values())} neurons, for each variant of the ablation of "
        f"`{STUDY}`, with the importances that the table of pruned neurons shows; ratio: to `{SORTED}` of the same round; "
        "target: of the median, at most."
    )
    return Table("variants", caption, found)


def all_variants(sites: dict[str, int]) -> Callable[[], object]:
    """Every variant one after the other, as the rule `select_variants` does, ready to run."""
    prepare_torch(seed=0)
    statistics = variant_statistics(sites)

    def work() -> None:
        for variant in variants().values():
            create_method(variant["method"], variant["settings"]).select(statistics)

    return work


def _memory(sites: dict[str, int]) -> Table:
    cost = cost_of(all_variants, sites)
    held = sum(getattr(sums, name).nbytes for sums in variant_statistics(sites)._sums.values() for name in Sums.TENSORS)
    row = {"neurons": sum(sites.values()), "variants": len(variants()), "seconds": cost.seconds}
    row |= {"statistics_mb": held / MB, "extra_mb": cost.extra_bytes / MB, "peak_mb": cost.peak_bytes / MB}
    caption = (
        "All variants one after the other in a process of its own: memory of their statistics (sums at each number of "
        "samples that a variant asks for), what selecting took beside them, and the highest of the whole process; "
        "target: of statistics and selecting together, at most."
    )
    return Table("memory", caption, pd.DataFrame([row | {"target_mb": BYTES / MB}]))


def _sort(scores: dict[str, torch.Tensor]) -> None:
    torch.cat(list(scores.values())).argsort(descending=True, stable=True)
