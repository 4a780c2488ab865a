"""Requests to forget that come one after the other: who is named by which of them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from manu.core.errors import UserError
from manu.data.profiles import forget_config
from manu.data.reading import read_ids

NEVER = 0  # in the column `requested`: retain people


def requested_at(benchmark: Path, requests: Sequence[int]) -> dict[str, int]:
    """Person -> forget ratio in percent of the request that names them, the first whose forget set holds them.

    requests: forget ratios, ascending. Raises UserError unless each forget set holds the one before and somebody new.
    """
    found: dict[str, int] = {}
    for ratio in requests:
        people = read_ids(benchmark, forget_config(ratio))
        if not found.keys() < set(people):
            needed = "everybody whom the request before it names, and somebody else"
            raise UserError(f"benchmark {benchmark}: {forget_config(ratio)} must hold {needed}")
        found |= {person: ratio for person in people if person not in found}
    return found


def with_requests(table: pd.DataFrame, benchmark: Path, requests: Sequence[int]) -> pd.DataFrame:
    """The table with the column `requested`: the ratio at which the person of `profile_id` is named, or NEVER."""
    named = requested_at(benchmark, requests)
    return table.assign(requested=[named.get(person, NEVER) for person in table["profile_id"]])
