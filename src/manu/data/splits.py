"""Who the forget people are: nested sets at each ratio, and their complements."""

from math import floor

import numpy as np

from manu.core.errors import UserError


def forget_order(ids: list[str], seed: int) -> list[str]:
    """A seeded order of people; the first ones are forgotten first, so forget sets are nested."""
    return [ids[i] for i in np.random.default_rng(seed).permutation(len(ids))]


def forget_count(people: int, ratio: int) -> int:
    """How many people `ratio` percent are, rounded half up."""
    return floor(people * ratio / 100 + 0.5)


def split_people(ids: list[str], ratio: int, seed: int) -> tuple[list[str], list[str]]:
    """The forget set (`forget_count` of `ids`) and the retain set, each in the order of `ids`."""
    count = forget_count(len(ids), ratio)
    if not 0 < count < len(ids):
        raise UserError(
            f"benchmark: a forget ratio of {ratio} percent of {len(ids)} people leaves an empty forget or retain set"
        )
    forget = set(forget_order(ids, seed)[:count])
    return [i for i in ids if i in forget], [i for i in ids if i not in forget]
