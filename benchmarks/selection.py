"""Cost of selecting neurons at the size of LLaVA-1.5-7B, by importance function and by ablation variant."""

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
from manu.core.words import SETS
from manu.models.loading import prepare_torch
from manu.neurons.importance import FUNCTIONS, each_importance, importance, score
from manu.neurons.selection import select_top
from manu.neurons.statistics.modality import ALL, ModalityStatistics
from manu.neurons.table import neurons_table
from manu.study.loading import read_study
from manu.unlearning.base import PruningMethod
from manu.unlearning.registry import create_method

LLAVA_7B = {f"language.{i}": 11008 for i in range(32)} | {f"vision.{i}": 4096 for i in range(24)}
STUDY = "mini"  # the study with the ablation
SECONDS, BYTES = 2.0, 1e9  # targets of one selection

SORTED = "sorting the scores alone"


def widths(every: int = 1) -> dict[str, int]:
    """Site -> neurons of LLaVA-1.5-7B's MLPs, for every `every`-th MLP."""
    return dict(list(LLAVA_7B.items())[::every])


def made_up_statistics(sites: dict[str, int], milestones: tuple[int, ...] = ()) -> ModalityStatistics:
    """Statistics of random sums, with as many samples as the largest milestone."""
    statistics = ModalityStatistics(sites, tau=0.1, milestones=milestones)
    generator = torch.Generator().manual_seed(0)
    for key, tensor in statistics.tensors.items():
        *_, limit, name = key.split("/")
        if name == "count":
            tensor.fill_(int(limit) or max(milestones, default=100))
        else:
            tensor.uniform_(1, 10, generator=generator)
    return statistics


def pruning_method(name: str, settings: dict) -> PruningMethod:
    """A method that prunes. Raises TypeError for any other method."""
    method = create_method(name, settings)
    if not isinstance(method, PruningMethod):
        raise TypeError(f"{name} is not a pruning method")
    return method


def variants() -> dict[str, dict]:
    """Name -> method and settings of the ablation's variants."""
    return {name: variant.model_dump() for name, variant in read_study(STUDY).ablation.variants.items()}


def variant_statistics(sites: dict[str, int]) -> ModalityStatistics:
    """Random statistics for the ablation, with sums at every number of samples that a variant uses."""
    numbers = {variant["settings"].get("samples", ALL) for variant in variants().values()}
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


def _functions(statistics: ModalityStatistics, repeats: int) -> Table:
    def chosen(functions: tuple[str, ...]) -> None:
        forget, retain = (importance(statistics, data_set, functions) for data_set in SETS)
        select_top(score(forget, retain), prune_ratio=10)

    sides: dict[str, Callable[[], object]] = {SORTED: _sorting(statistics)}
    sides |= {name: partial(chosen, (name,)) for name in FUNCTIONS}
    sides["all four"] = partial(chosen, tuple(FUNCTIONS))
    sides["every importance alone"] = partial(each_importance, statistics)
    published = pruning_method("manu", {"prune_ratio": 10})
    sides["as published"] = partial(published.select, statistics)
    sides["table of the neurons pruned"] = partial(neurons_table, published.select(statistics))
    caption = (
        f"Seconds to score and rank {sum(statistics.widths.values())} neurons by one importance function, and by the "
        "sum of all; to compute every importance, as in the table of pruned neurons; to select neurons as the method "
        f"does (10 percent); and to make the table. ratio: to `{SORTED}` in the same round."
    )
    return Table("functions", caption, side_by_side(sides, repeats))


def _variants(statistics: ModalityStatistics, repeats: int) -> Table:
    sides: dict[str, Callable[[], object]] = {SORTED: _sorting(statistics)}
    for name, variant in variants().items():
        sides[name] = partial(pruning_method(variant["method"], variant["settings"]).select, statistics)
    times = side_by_side(sides, repeats)
    times["target_seconds"] = SECONDS
    caption = (
        f"Seconds of one selection among {sum(statistics.widths.values())} neurons, for every ablation variant of "
        f"`{STUDY}`, including the importances in the table of pruned neurons. ratio: to `{SORTED}` in the same round; "
        "target: of the median, at most."
    )
    return Table("variants", caption, times)


def all_variants(sites: dict[str, int]) -> Callable[[], object]:
    """Work: select by every variant, one after the other, as the rule `select_variants` does."""
    prepare_torch(seed=0)
    statistics = variant_statistics(sites)

    def work() -> None:
        for variant in variants().values():
            pruning_method(variant["method"], variant["settings"]).select(statistics)

    return work


def _memory(sites: dict[str, int]) -> Table:
    cost = cost_of(all_variants, sites)
    held = sum(tensor.nbytes for tensor in variant_statistics(sites).tensors.values() if tensor.ndim)
    row = {"neurons": sum(sites.values()), "variants": len(variants()), "seconds": cost.seconds}
    row |= {"statistics_mb": held / MB, "extra_mb": cost.extra_bytes / MB, "peak_mb": cost.peak_bytes / MB}
    caption = (
        "All variants, one after the other, in a separate process. statistics: memory of the sums, at every number of "
        "samples that a variant uses; extra: memory that the selection added; peak: of the whole process; target: of "
        "statistics and extra together, at most."
    )
    return Table("memory", caption, pd.DataFrame([row | {"target_mb": BYTES / MB}]))


def _sorting(statistics: ModalityStatistics) -> Callable[[], object]:
    """Work: sort the scores of all neurons, which are computed now."""
    forget, retain = (importance(statistics, data_set) for data_set in SETS)
    scores = torch.cat(list(score(forget, retain).values()))
    return lambda: scores.argsort(descending=True, stable=True)
