"""Recovery from out-of-memory errors: a batch that is too large is split in halves."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from manu.core.errors import UserError, out_of_memory

log = logging.getLogger(__name__)
SINGLE = "out of memory with a single sample: {}; a smaller model or a larger device is needed"
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_halves(run: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]) -> list[Result]:
    """Return `run(items)`, which gives one result per item; on out of memory, run both halves one after the other.

    Halves are split again as needed. The conditions on `run` and the errors are those of `in_parts`.
    """
    return [result for part in in_parts(run, items) for result in part]


def in_parts(run: Callable[[Sequence[Item]], Result], items: Sequence[Item]) -> list[Result]:
    """Return `[run(items)]`; on out of memory, the results of the two halves in order, split again as needed.

    `run` must not depend on how the items are grouped, and must leave nothing behind when it fails. Every split is
    logged. Raises UserError when memory does not suffice for a single item.
    """
    try:
        return [run(items)]
    except RuntimeError as error:  # the base class of torch.OutOfMemoryError
        if not out_of_memory(error):
            raise
        message = str(error).splitlines()[0]
    if len(items) == 1:
        raise UserError(SINGLE.format(message))
    log.warning("out of memory with %d samples; they are processed in two halves: %s", len(items), message)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = (len(items) + 1) // 2
    return [*in_parts(run, items[:middle]), *in_parts(run, items[middle:])]
