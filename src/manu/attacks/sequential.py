"""Requests to forget, one after another: which request names whom."""

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
    named: dict[str, int] = {}
    for ratio in requests:
        people = read_ids(benchmark, forget_config(ratio))
        if not named.keys() < set(people):
            needed = "everybody of the request before it, and somebody else"
            raise UserError(f"benchmark {benchmark}: {forget_config(ratio)} must hold {needed}")
        named |= {person: ratio for person in people if person not in named}
    return named


def with_requests(table: pd.DataFrame, benchmark: Path, requests: Sequence[int]) -> pd.DataFrame:
    """The table with the column `requested`: the ratio at which the person of `profile_id` is named, or NEVER."""
    named = requested_at(benchmark, requests)
    return table.assign(requested=[named.get(person, NEVER) for person in table["profile_id"]])
