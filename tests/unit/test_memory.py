"""A batch for which memory does not suffice is taken in halves, and gives the same."""

import logging
from copy import deepcopy
from functools import partial
from inspect import signature

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.subject import measuring_batches
from manu.core.errors import UserError
from manu.core.memory import in_halves
from manu.neurons.measuring import measure
from manu.neurons.statistics.registry import known_statistics, statistics_class
from manu.training.halving import halving
from manu.training.loop import Optimisation, fit
from manu.training.losses import answer_cross_entropy, answer_log_likelihood
from manu.unlearning.base import Batches
from manu.unlearning.measured import sites_of
from manu.unlearning.registry import create_method

CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. "
    "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
)


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


def short_of_memory(model, most: int, monkeypatch) -> list[int]:
    """The model cannot take more than `most` samples, as is found out at its head: all layers have been passed by then.
    Returns the sizes of the batches it is given."""
    given, head = [], model.get_output_embeddings()
    whole = head.forward

    def forward(hidden):
        given.append(len(hidden))
        if len(hidden) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole(hidden)

    monkeypatch.setattr(head, "forward", forward)
    return given


@pytest.mark.parametrize("kind", known_statistics())
def test_statistics_of_halves_are_those_of_the_batch(kind, vlm, benchmark_folder, monkeypatch, tmp_path):
    batches = {key: list(group) for key, group in measuring_batches(vlm, benchmark_folder, 5).items()}
    assert {len(batch["input_ids"]) for group in batches.values() for batch in group} == {5}

    def measured(name: str) -> dict[str, torch.Tensor]:
        cls, arguments = statistics_class(kind), {"tau": 0.1, "milestones": (3,)} if kind == "modality" else {}
        sites = sites_of(cls, vlm)
        found = measure(
            cls.at(sites, **arguments), vlm.model, sites, batches, vision_mask=vlm.vision_mask, loss=sum_of_losses
        )
        found.save(tmp_path / name)
        return load_file(tmp_path / name)

    at_once = measured("at_once")
    given = short_of_memory(vlm.model, 2, monkeypatch)
    in_parts = measured("in_parts")
    assert given[:5] == [5, 3, 2, 1, 2] and at_once.keys() == in_parts.keys()
    for key, value in at_once.items():
        torch.testing.assert_close(in_parts[key], value, rtol=1e-4, atol=1e-5)
        if key.endswith("count"):
            assert torch.equal(in_parts[key], value)


def sum_of_losses(model, batch):
    """The sum over the samples of each one's own loss."""
    return -answer_log_likelihood(model, batch).sum()


LOSSES = {
    "kl": {},
    "npo": {},
    "recover": {"cap": 40.0},  # no mean over samples, and above any loss, so that it counts
    "rmu": {"alpha": 1.0, "coefficient": 1.0},
}


@pytest.mark.parametrize("name", ["transformers", *LOSSES])
def test_gradients_of_halves_are_those_of_the_batch(name, vlm, benchmark_folder, monkeypatch):
    groups = measuring_batches(vlm, benchmark_folder, 5)
    forget, retain = (next(iter(groups[data_set, "multimodal"])) for data_set in ("forget", "retain"))
    model, reference = vlm.model, deepcopy(vlm.model)

    def loss():
        if name == "transformers":
            return model(**forget).loss
        method = create_method(name, {"learning_rate": 1e-3, "epochs": 1, "batch_size": 5} | LOSSES[name])
        return method.loss(model, Batches(forget=forget, retain=retain), reference)

    def differentiated(run):
        model.zero_grad()
        value = run(lambda: backward(loss()))
        return value, {key: each.grad.clone() for key, each in model.named_parameters() if each.grad is not None}

    with torch.no_grad():  # the reference is another model
        for parameter in model.parameters():
            parameter.mul_(1.1)
    at_once = differentiated(lambda step: step())
    given, takes = short_of_memory(model, 2, monkeypatch), signature(model.forward)
    with halving(model) as at_most:
        assert signature(model.forward) == takes
        in_parts = differentiated(at_most)
    assert given[:3] == [5, 2, 3] and set(given[3:]) == {1, 2}  # two parts are too few, four do
    assert at_once[0] == pytest.approx(in_parts[0], rel=1e-4) and at_once[1].keys() == in_parts[1].keys()
    largest = max(gradient.abs().max().item() for gradient in at_once[1].values())
    for key, gradient in at_once[1].items():  # that of a key's bias is nothing but rounding
        torch.testing.assert_close(in_parts[1][key], gradient, rtol=1e-3, atol=1e-5 * largest)
    assert "forward" not in vars(model)


def backward(value: torch.Tensor) -> float:
    value.backward()
    return value.item()


def test_a_training_goes_on_in_halves(vlm, benchmark_folder, monkeypatch, caplog):
    batches = list(measuring_batches(vlm, benchmark_folder, 5)["forget", "text"])[:3]
    start = {key: each.clone() for key, each in vlm.model.state_dict().items()}

    def losses():
        vlm.model.load_state_dict(start)
        loss = partial(answer_cross_entropy, vlm.model)
        return fit(vlm.model, batches, loss, Optimisation(1e-4, len(batches), schedule="constant"))

    at_once = losses()
    given = short_of_memory(vlm.model, 3, monkeypatch)
    with caplog.at_level(logging.WARNING):
        assert losses() == pytest.approx(at_once, rel=1e-4)
    assert [record.args[0] for record in caplog.records] == [2]  # told once, and kept for the steps that follow
    assert given.count(5) == 1


def test_a_training_with_too_large_a_sample_is_told(vlm, benchmark_folder, monkeypatch):
    batches = list(measuring_batches(vlm, benchmark_folder, 5)["forget", "text"])[:1]
    short_of_memory(vlm.model, 0, monkeypatch)
    with pytest.raises(UserError, match="out of memory with a single sample: CUDA out of memory"):
        fit(vlm.model, batches, partial(answer_cross_entropy, vlm.model), Optimisation(1e-4, 1))
