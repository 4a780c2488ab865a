"""From scores to the pruned units: the top alpha percent, reproducibly."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import torch
from torch import Tensor

from manu.core.errors import UserError

MLP_INPUT = "mlp_input"  # a neuron of an MlpSite
LINEAR_OUTPUT = "linear_output"  # a row of a LinearSite
RANKINGS = ("global", "part", "layer")


def part_of(site: str) -> str:
    """The part that a site name begins with: "language" or "vision"."""
    return site.split(".")[0]


def layer_of(site: str) -> int:
    """The layer that a site name ends with."""
    return int(site.split(".")[-1])


def last_layers(sites: Iterable[str], part: str, layers: int) -> list[str]:
    """Names of the sites in the last `layers` layers of a part, in their order."""
    names = [site for site in sites if part_of(site) == part]
    kept = sorted({layer_of(site) for site in names})[-layers:]
    return [site for site in names if layer_of(site) in kept]


@dataclass(frozen=True)
class Selection:
    """The pruned units and their scores; the keys of every mapping are the sites' names.

    unit: what a mask entry stands for, "mlp_input" or "linear_output"; masks: bool [width],
    true = pruned; scores: float64 [width]; ranks: int64 [width], 1 = highest score among the
    units ranked together; importances: by column name ("i_abs_forget"), then by site, float64
    [width], for the table of pruned neurons.
    """

    unit: str
    masks: dict[str, Tensor]
    scores: dict[str, Tensor]
    ranks: dict[str, Tensor]
    importances: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    @property
    def pruned(self) -> int:
        """Number of units pruned."""
        return sum(int(mask.sum()) for mask in self.masks.values())

    @property
    def total(self) -> int:
        """Number of units that were candidates."""
        return sum(len(mask) for mask in self.masks.values())


def select_top(
    scores: Mapping[str, Tensor],
    prune_ratio: float,
    ranking: str = "global",
    *,
    unit: str = MLP_INPUT,
    importances: Mapping[str, Mapping[str, Tensor]] | None = None,
    prune_ties: bool = False,
) -> Selection:
    """Select the `prune_ratio` percent of units with the highest scores.

    ranking: which units compete: "global" all together, "part" within language and within
    vision, "layer" within each site. Of each such group floor(ratio / 100 * units) are pruned, in
    exact arithmetic; equal scores are ordered by site, then by index, so that the number is
    met exactly. With `prune_ties` all units with the score of the last one are pruned as well.
    Raises UserError when the ratio is less than one unit in every group (a mask that prunes
    nothing would look like a method that forgets nothing), ValueError on NaN.
    """
    group_of = {"global": lambda site: "", "part": part_of, "layer": lambda site: site}[ranking]
    groups: dict[str, list[str]] = {}
    for site in scores:
        groups.setdefault(group_of(site), []).append(site)

    masks: dict[str, Tensor] = {}
    ranks: dict[str, Tensor] = {}
    for sites in groups.values():
        together = torch.cat([scores[site] for site in sites])
        if together.isnan().any():
            raise ValueError("a score is not a number")
        wanted = math.floor(Fraction(str(prune_ratio)) / 100 * len(together))
        order = together.argsort(descending=True, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(1, len(order) + 1, device=order.device)
        mask = rank <= wanted
        if prune_ties and wanted:
            mask |= together >= together[order[wanted - 1]]
        lengths = [len(scores[site]) for site in sites]
        masks |= zip(sites, mask.split(lengths), strict=True)
        ranks |= zip(sites, rank.split(lengths), strict=True)

    selection = Selection(
        unit=unit,
        masks={site: masks[site] for site in scores},
        scores=dict(scores),
        ranks={site: ranks[site] for site in scores},
        importances={column: dict(by_site) for column, by_site in (importances or {}).items()},
    )
    if selection.pruned == 0:
        largest = max(sum(len(scores[site]) for site in sites) for sites in groups.values())
        raise UserError(
            f"prune_ratio: {prune_ratio} percent of {largest} units ranked together is less than one; "
            f"needed: at least {math.ceil(10000 / largest) / 100}"
        )
    return selection


def select_in_turn(
    turns: Sequence[tuple[Mapping[str, Tensor], int]],
    scores: Mapping[str, Tensor],
    *,
    unit: str = MLP_INPUT,
    importances: Mapping[str, Mapping[str, Tensor]] | None = None,
) -> Selection:
    """Each turn (scores by site, count) takes its `count` units with the highest scores among those not yet taken.

    Equal scores are ordered by site, then by index. scores: those of the selection, by which all units are ranked.
    Raises UserError when nothing is taken, ValueError on NaN.
    """
    lengths = [len(scores[site]) for site in scores]
    taken = torch.zeros(sum(lengths), dtype=torch.bool)
    for by_site, count in turns:
        together = torch.cat([by_site[site] for site in scores])
        if together.isnan().any():
            raise ValueError("a score is not a number")
        order = together.masked_fill(taken, -math.inf).argsort(descending=True, stable=True)
        taken[order[: min(count, int((~taken).sum()))]] = True
    if not taken.any():
        raise UserError(
            f"prune_ratio: less than one of {len(taken)} units would be pruned; needed: at least {100 / len(taken):.3g}"
        )
    order = torch.cat([scores[site] for site in scores]).argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(1, len(order) + 1)
    return Selection(
        unit=unit,
        masks=dict(zip(scores, taken.split(lengths), strict=True)),
        scores=dict(scores),
        ranks=dict(zip(scores, rank.split(lengths), strict=True)),
        importances={column: dict(by_site) for column, by_site in (importances or {}).items()},
    )


def random_selection(widths: Mapping[str, int], prune_ratio: float, seed: int, unit: str = MLP_INPUT) -> Selection:
    """Select `prune_ratio` percent of all units at random; the same seed gives the same units, and the units of
    a smaller ratio are among those of a larger one. widths: units per site."""
    generator = torch.Generator().manual_seed(seed)
    scores = {site: torch.rand(width, generator=generator, dtype=torch.float64) for site, width in widths.items()}
    return select_top(scores, prune_ratio, unit=unit)
