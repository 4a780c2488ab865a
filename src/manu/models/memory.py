"""When memory does not suffice for a batch: its halves, one after the other."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from manu.errors import UserError

log = logging.getLogger(__name__)
Item, Result = TypeVar("Item"), TypeVar("Result")
_ON_CPU = "can't allocate memory"  # torch has no class of its own for this


def in_halves(run: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]) -> list[Result]:
    """`run(items)`, one result per item; where that runs out of memory, the results of both halves, and so on.

    Only for what does not depend on how items are grouped. Each halving is logged. Raises UserError when one item is
    already too much.
    """
    try:
        return run(items)
    except RuntimeError as error:  # of which torch.OutOfMemoryError is one
        if not isinstance(error, torch.OutOfMemoryError) and _ON_CPU not in str(error):
            raise
        told = str(error).splitlines()[0]
    if len(items) == 1:
        raise UserError(f"out of memory with a single sample: {told}; a smaller model or a larger device is needed")
    log.warning("out of memory with %d samples, which are now taken in halves: %s", len(items), told)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = (len(items) + 1) // 2
    return [*in_halves(run, items[:middle]), *in_halves(run, items[middle:])]
