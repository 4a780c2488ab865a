"""A batch for which memory does not suffice is taken in halves, and gives the same."""

import logging

import pytest
import torch

from manu.errors import UserError
from manu.models.memory import in_halves

CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


def doubling(most: int, error: RuntimeError, seen: list[int]):
    """Doubles numbers, at most `most` at a time."""

    def run(items):
        seen.append(len(items))
        if len(items) > most:
            raise error
        return [2 * item for item in items]

    return run


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(CPU)])
def test_halves_until_they_fit_in_order(error, caplog):
    seen = []
    with caplog.at_level(logging.WARNING):
        assert in_halves(doubling(2, error, seen), range(7)) == [0, 2, 4, 6, 8, 10, 12]
    assert seen == [7, 4, 2, 2, 3, 2, 1]
    assert [record.args[0] for record in caplog.records] == [7, 4, 3]


def test_one_sample_too_many_is_told():
    with pytest.raises(UserError, match="out of memory with a single sample: CUDA out of memory"):
        in_halves(doubling(0, torch.OutOfMemoryError("CUDA out of memory."), []), [1, 2])


def test_another_error_stays_what_it_is():
    with pytest.raises(RuntimeError, match="shapes differ"):
        in_halves(doubling(1, RuntimeError("shapes differ"), []), [1, 2])
