"""What training methods do beyond the contract (test_contract.py), on a tiny model of each architecture."""

import math
from copy import deepcopy
from itertools import islice

import numpy as np
import pytest
import torch

from manu.data.profiles import ANCHOR
from manu.data.reading import read_profiles
from manu.models.checkpoint import load_model
from manu.neurons.masks import Mask
from manu.neurons.selection import MLP_INPUT
from manu.training.losses import answer_cross_entropy, answer_tokens
from manu.unlearning.anchor import anchor_batches, anchor_loss, anchor_records
from manu.unlearning.measured import measured
from manu.unlearning.pruning import selected
from manu.unlearning.registry import create_method, known_methods, method_class
from manu.unlearning.run import unlearned
from manu.unlearning.training_data import UnlearningData, training_set

TRAINING = [name for name in known_methods() if method_class(name).kind == "training"]
SETTINGS = {"learning_rate": 3e-3, "epochs": 2, "batch_size": 8}
MORE = {
    "gradient_difference": {"schedule": "paired"},  # the losses of an alternating schedule are of two kinds
    "kl": {"schedule": "paired"},
    "recover": {"cap": 50.0, "weight": 3.0},  # an untrained model is beyond the usual cap from the start
    "task_arithmetic": {"scaling": 0.1},  # near enough to an untrained model for its gradient to tell the direction
}
RATIO = 10
LORA = {"rank": 4, "alpha": 8, "dropout": 0.05}


@pytest.fixture
def run(vlm, benchmark_folder, tmp_path):
    """Unlearn with a method from the fixture's model, saved as a checkpoint."""
    vlm.save(tmp_path / "vanilla")

    def unlearn(name: str, lora: bool = False, **settings):
        method = create_method(name, SETTINGS | MORE.get(name, {}) | settings)
        config = {"model": vlm.name, "seed": 1, "method": name} | ({"lora": LORA} if lora else {})
        vanilla = load_model(config, tmp_path / "vanilla")
        return vanilla, unlearned(config, method, vanilla, benchmark_folder, RATIO)

    return unlearn


@pytest.fixture
def forget_loss(vlm, benchmark_folder):
    """CE of a model's answers about the forget people."""
    material = UnlearningData(vlm, create_method("ga", SETTINGS), benchmark_folder, RATIO)
    batches = [each.forget for each in material.epochs(1, np.random.default_rng(0))]

    def loss(model) -> float:
        with torch.no_grad():
            return float(np.mean([answer_cross_entropy(model, batch).item() for batch in batches]))

    return loss


def changed(before: torch.nn.Module, after: torch.nn.Module) -> list[str]:
    """Names of the parameters that differ."""
    pairs = zip(before.named_parameters(), after.parameters(), strict=True)
    return [name for (name, old), new in pairs if not torch.equal(old, new)]


@pytest.mark.parametrize("name", [name for name in TRAINING if name != "rmu"])
def test_the_forget_answers_become_less_likely(name, run, vlm, forget_loss):
    after = run(name)[0].model
    assert forget_loss(after) > forget_loss(vlm.model) and not after.training


@pytest.mark.parametrize("name", ["gradient_difference", "kl"])
def test_an_alternating_epoch_takes_all_of_forget_and_then_all_of_retain(name, run, vlm, benchmark_folder, monkeypatch):
    rates = []

    def fit(model, batches, loss, optimisation, *others):
        steps = list(batches)
        scheduler = optimisation.scheduler(torch.optim.SGD(model.parameters(), lr=optimisation.learning_rate))
        for _ in steps:
            rates.extend(scheduler.get_last_lr())
            scheduler.optimizer.step()
            scheduler.step()
        return steps

    monkeypatch.setattr("manu.unlearning.run.fit", fit)
    _, steps = run(name, schedule="alternating")
    sizes = [
        training_set(vlm, benchmark_folder, people, ("multimodal",)).batches_per_epoch(8)
        for people in (["forget_10"], ["retain_90"])
    ]
    assert [step.has("forget") for step in steps] == 2 * (sizes[0] * [True] + sizes[1] * [False])
    assert [step.has("retain") for step in steps] == 2 * (sizes[0] * [False] + sizes[1] * [True])
    assert set(rates) == {SETTINGS["learning_rate"]}
    monkeypatch.undo()
    _, losses = run(name, schedule="alternating")
    retain = [losses[at] for at, step in enumerate(steps) if step.has("retain")]
    assert np.mean(retain[-3:]) < np.mean(retain[:3])


def test_the_anchor_is_the_divergence_from_the_models_own_replies(vlm, benchmark_folder):
    records = anchor_records(vlm, benchmark_folder)
    people = read_profiles(benchmark_folder, ANCHOR)
    assert len(records) == sum(len(person.questions) for person in people)
    assert {record.modality for record in records} == {"multimodal", "text"}
    assert all((record.image is not None) is (record.modality == "multimodal") for record in records)

    (batch,) = islice(anchor_batches(vlm, records[:3], 8, np.random.default_rng(0)), 1)
    start = deepcopy(vlm.model).requires_grad_(False)
    assert anchor_loss(vlm.model, start, batch).item() == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        vlm.model.get_output_embeddings().weight.mul_(0.5)
        before, after = (answer_tokens(model, batch).logits.log_softmax(-1) for model in (start, vlm.model))
    by_hand = [
        sum(math.exp(p) * (p - q) for p, q in zip(*row, strict=True))
        for row in zip(before.tolist(), after.tolist(), strict=True)
    ]
    assert anchor_loss(vlm.model, start, batch).item() == pytest.approx(np.mean(by_hand), rel=1e-4)


def test_a_method_with_an_anchor_stays_nearer_to_its_start(run, vlm, benchmark_folder):
    batches = list(islice(anchor_batches(vlm, anchor_records(vlm, benchmark_folder), 8, np.random.default_rng(3)), 4))

    def moved(**settings) -> float:
        after = run("recover", **settings)[0].model
        with torch.no_grad():
            return sum(anchor_loss(after, vlm.model, batch).item() for batch in batches)

    assert moved(anchor=10.0) < 0.8 * moved()


def test_npo_compares_with_the_model_that_it_is_given(vlm, benchmark_folder):
    method = create_method("npo", SETTINGS | {"reference": "retain_only"})
    config = {"model": vlm.name, "seed": 1, "method": "npo"}
    with pytest.raises(ValueError, match="compares with the model retain_only, which is not given"):
        unlearned(config, method, deepcopy(vlm), benchmark_folder, RATIO)
    other = deepcopy(vlm.model).requires_grad_(False)
    with torch.no_grad():
        other.get_output_embeddings().weight.mul_(0.5)
    beside = unlearned(config, method, deepcopy(vlm), benchmark_folder, RATIO, reference=other)
    alone = unlearned(config, create_method("npo", SETTINGS), deepcopy(vlm), benchmark_folder, RATIO)
    assert alone[0] == pytest.approx(2 / 0.4 * np.log(2)) and beside[0] != pytest.approx(alone[0], abs=1e-3)


def test_rmu_changes_the_weights_that_it_names_alone(run, vlm):
    (weight,) = changed(vlm.model, run("rmu")[0].model)
    assert weight.endswith("layers.0.mlp.down_proj.weight") and "vision" not in weight


@pytest.mark.parametrize("name", ["kl", "mmunlearner", "npo", "task_arithmetic"])
def test_adapters_change_their_targets_alone_and_leave_a_plain_model(name, run, vlm, forget_loss):
    after, losses = run(name, lora=True)
    moved = changed(vlm.model, after.model)
    assert set(vlm.language_linears) <= {weight.removesuffix(".weight") for weight in moved}
    assert not any(weight.endswith((".bias", "lm_head.weight", "embed_tokens.weight")) for weight in moved)
    assert np.isfinite(losses).all() and forget_loss(after.model) > forget_loss(vlm.model)
    assert not after.model.training and all(weight.requires_grad for weight in after.model.parameters())


def test_adapters_of_rmu_are_where_its_weights_are(run, vlm):
    (weight,) = changed(vlm.model, run("rmu", lora=True)[0].model)
    assert weight.endswith("layers.0.mlp.down_proj.weight") and "vision" not in weight


@pytest.mark.parametrize("lora", [{}, {"lora": LORA}], ids=["weights", "adapters"])
def test_a_joined_method_trains_around_what_it_has_pruned(lora, vlm, benchmark_folder):
    method, after = create_method("manu+recover", SETTINGS | {"prune_ratio": 30}), deepcopy(vlm)
    statistics = {"batch_size": 16, "tau": 0.1, "milestones": []}
    config = {"model": vlm.name, "seed": 1, "method": "manu+recover", "statistics": statistics, **lora}
    selection, mask = selected(method.pruning, measured(config, vlm, benchmark_folder, RATIO, "modality"))
    losses, masks = unlearned(config, method, after, benchmark_folder, RATIO, [mask]), selection.masks
    assert losses[-1] < losses[0] and sum(int(mask.sum()) for mask in masks.values()) > 0
    for old, new in zip(vlm.mlp_sites(), after.mlp_sites(), strict=True):
        mask = masks[old.name]
        assert new.second.weight[:, mask].eq(0).all() and all(layer.weight[mask].eq(0).all() for layer in new.first)
        if old.part == "language":  # LLaVA reads its pictures before the last vision layer, which never learns
            assert not torch.equal(new.second.weight[:, ~mask], old.second.weight[:, ~mask])


def test_an_edit_of_all_weights_leaves_what_was_pruned(vlm, benchmark_folder):
    method, after = create_method("manu+task_arithmetic", SETTINGS | {"prune_ratio": 30}), deepcopy(vlm)
    config = {"model": vlm.name, "seed": 1, "method": "manu+task_arithmetic"}
    sites = vlm.mlp_sites()
    masks = {site.name: torch.arange(site.width) < 5 for site in sites}
    unlearned(config, method, after, benchmark_folder, RATIO, [Mask(masks, MLP_INPUT, 0.0)])
    for site in after.mlp_sites():
        assert site.second.weight[:, :5].eq(0).all() and all(layer.weight[:5].eq(0).all() for layer in site.first)


def test_a_stricter_threshold_changes_fewer_weights(run, vlm):
    moved = []
    for threshold in (0.5, 4.0):
        after = run("mmunlearner", threshold=threshold)[0].model
        pairs = zip(vlm.model.parameters(), after.parameters(), strict=True)
        moved.append(sum((old != new).sum().item() for old, new in pairs))
    assert moved[0] > moved[1] > 0


def test_task_arithmetic_mirrors_the_fine_tuning(run, vlm):
    far, near = (run("task_arithmetic", scaling=scaling)[0].model for scaling in (1.0, 0.5))
    for vanilla, one, half in zip(vlm.model.parameters(), far.parameters(), near.parameters(), strict=True):
        torch.testing.assert_close(one - vanilla, 2 * (half - vanilla), rtol=1e-3, atol=1e-6)


def test_both_modalities_and_all_companions(run):
    for name in ("dpo", "mmunlearner", "rmu"):
        assert np.isfinite(run(name, modalities=["multimodal", "text"], epochs=1)[1]).all()


def answers_of(batches) -> list[tuple[int, ...]]:
    """The answer tokens of every sample of some batches, in order."""
    return [tuple(row[row >= 0].tolist()) for batch in batches for row in batch["labels"]]


@pytest.mark.parametrize(("limit", "kind"), [({}, "modality"), ({"retain_samples": 10}, "gradient"), ({}, "released")])
def test_statistics_ask_the_same_questions_in_both_modalities(limit, kind, vlm, benchmark_folder, monkeypatch):
    given = {}

    def keep(statistics, model, sites, batches, **options):
        given.update({group: list(each) for group, each in batches.items()})
        return statistics

    monkeypatch.setattr("manu.unlearning.measured.measure", keep)
    statistics = {"batch_size": 8, **limit} | ({"tau": 0.1, "milestones": []} if kind == "modality" else {})
    config = {"model": vlm.name, "seed": 1, "statistics": statistics}
    measured(config, vlm, benchmark_folder, RATIO, kind)
    asked = {group: answers_of(batches) for group, batches in given.items()}
    for data_set in ("forget", "retain"):
        assert asked[data_set, "multimodal"] == asked[data_set, "text"]
    people, per_person = 20, len(asked["forget", "text"]) // 2  # two of twenty people are forgotten
    batches = -(-2 * per_person // 8)
    expected = {"modality": (people - 2) * per_person, "gradient": 10, "released": 8 * batches}[kind]
    assert len(asked["retain", "text"]) == expected
    if kind == "modality":
        everybody = training_set(vlm, benchmark_folder, ["Full_Set"], paired=True)
        whole = answers_of(everybody.once("text", 8, np.random.default_rng(0)))
        assert sorted(asked["forget", "text"] + asked["retain", "text"]) == sorted(whole)
