"""When memory does not suffice for a batch: its halves, one after the other."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from manu.core.errors import UserError, out_of_memory

log = logging.getLogger(__name__)
SINGLE = "out of memory with a single sample: {}; a smaller model or a larger device is needed"
Item, Result = TypeVar("Item"), TypeVar("Result")


def in_halves(run: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]) -> list[Result]:
    """`run(items)`, one result per item; where that runs out of memory, the results of both halves, and so on.

    As `in_parts` otherwise.
    """
    return [result for part in in_parts(run, items) for result in part]


def in_parts(run: Callable[[Sequence[Item]], Result], items: Sequence[Item]) -> list[Result]:
    """The one result of `run(items)`; where that runs out of memory, those of both halves in their order, and so on.

    Only for what does not depend on how items are grouped, and leaves nothing behind when it fails. Each halving is
    logged. Raises UserError when one item is already too much.
    """
    try:
        return [run(items)]
    except RuntimeError as error:  # of which torch.OutOfMemoryError is one
        if not out_of_memory(error):
            raise
        user_message = str(error).splitlines()[0]
    if len(items) == 1:
        raise UserError(SINGLE.format(user_message))
    log.warning("out of memory with %d samples, which are now taken in halves: %s", len(items), user_message)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = (len(items) + 1) // 2
    return [*in_parts(run, items[:middle]), *in_parts(run, items[middle:])]
