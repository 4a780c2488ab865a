"""Settings that a study leaves open, and the trials that it makes of them.

A method's setting `{tune: [a, b, c]}` is chosen among the candidates; everything else is fixed.
"""

import random
from collections.abc import Mapping
from dataclasses import asdict
from itertools import product
from math import prod
from typing import Any

from manu.core.errors import UserError

TUNE = "tune"


def tuned(settings: Mapping[str, Any]) -> dict[str, list]:
    """The open settings with their candidates. Raises UserError unless these are a list of distinct values."""
    found = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            candidates = value.get(TUNE)
            distinct = isinstance(candidates, list) and len({repr(each) for each in candidates}) == len(candidates)
            if set(value) != {TUNE} or not candidates or not distinct:
                raise UserError(f"{name}: {dict(value)!r}; needed: a value, or {{{TUNE}: [candidates, each once]}}")
            found[name] = candidates
    return found


def fixed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are given."""
    return {name: value for name, value in settings.items() if not isinstance(value, Mapping)}


def first(settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings, open ones at their first candidate."""
    return fixed(settings) | {name: candidates[0] for name, candidates in tuned(settings).items()}


def combinations(settings: Mapping[str, Any]) -> int:
    """In how many ways the open settings can be filled; 1 when none is open."""
    return prod(len(candidates) for candidates in tuned(settings).values())


def trials(settings: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """The open settings of each trial: `count` of their combinations, drawn at random once and for all, in order.

    All of them when there are no more; a single trial without settings when nothing is open.
    """
    open_settings = tuned(settings)
    every = [dict(zip(open_settings, values, strict=True)) for values in product(*open_settings.values())]
    if len(every) <= count:
        return every
    return [every[index] for index in sorted(random.Random(0).sample(range(len(every)), count))]


def complete(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a method, its own defaults included; open ones keep their candidates. Lists replace tuples.

    Raises UserError as `create_method` does, whichever candidate is wrong.
    """
    from manu.unlearning.registry import create_method

    def filled(chosen: dict[str, Any]) -> dict[str, Any]:
        values = asdict(create_method(method, fixed(given) | chosen))
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    try:
        candidates = tuned(given)
    except UserError as error:
        raise UserError(f"method {method!r}: {error}") from None
    first = {key: values[0] for key, values in candidates.items()}
    settings = filled(first)
    for key, values in candidates.items():
        settings[key] = {TUNE: [filled(first | {key: value})[key] for value in values]}
    return settings
