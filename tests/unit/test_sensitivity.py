"""Gradient sensitivity: effects by hand, against what zeroing a neuron does, and hooks that leave nothing behind."""

import pytest
import torch
from tiny_model import TinyModel, make_batch

from manu.core.errors import UserError
from manu.neurons.activations import record_gradients
from manu.neurons.measuring import measure
from manu.neurons.selection import select_in_turn
from manu.neurons.statistics.gradient import GradientStatistics, effects_of
from manu.unlearning.manu_gradient import ManuGradient


class Model(TinyModel):
    """The tiny model with the library's name for its embeddings."""

    def get_input_embeddings(self):
        return self.embedding


def loss(model, batch) -> torch.Tensor:
    """Sum over the samples of the cross-entropy of their answer tokens."""
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    logits = model(**inputs).logits[:, :-1].flatten(0, 1)
    return torch.nn.functional.cross_entropy(
        logits, batch["labels"][:, 1:].flatten(), ignore_index=-100, reduction="sum"
    )


def measured(model, batches) -> GradientStatistics:
    sites = model.mlp_sites()
    return measure(GradientStatistics.at(sites), model, sites, batches, loss=loss)


def test_effects_by_hand():
    z = torch.tensor([[[1.0, -4.0], [-3.0, 2.0]], [[2.0, 0.0], [1.0, 1.0]]])
    gradient = torch.tensor([[[2.0, 1.0], [1.0, 0.5]], [[0.0, 5.0], [-1.0, 3.0]]])
    # sample 0: -(1*2 - 3*1) = 1, -(-4 + 1) = 3; sample 1: -(0 - 1) = 1, -(0 + 3) = -3
    assert effects_of(z, gradient).tolist() == [[1.0, 3.0], [1.0, -3.0]]
    statistics = GradientStatistics({"language.0": 2})
    statistics.add_values("forget", "text", "language.0", {"effect": effects_of(z, gradient)})
    statistics.add_silent("forget", "text", "language.0", 2)
    effects = statistics.effects("forget", "text", "language.0")
    assert effects.mean.tolist() == [0.5, 0.0] and effects.mean_abs.tolist() == [0.5, 1.5]
    with pytest.raises(ValueError, match="no sample was measured"):
        _ = statistics.effects("retain", "text", "language.0").mean


def test_the_effect_is_what_zeroing_does_to_first_order():
    torch.manual_seed(0)
    model = Model().double()
    batch = make_batch(3, 5, pixels=True, padding=1)
    batch["pixel_values"] = batch["pixel_values"].double()
    statistics = measured(model, {("forget", "multimodal"): [batch]})
    before, step = loss(model, batch).item(), 1e-6
    for site in model.mlp_sites():
        for neuron in range(site.width):
            with torch.no_grad():
                site.second.weight[:, neuron] *= 1 - step
            change = (loss(model, batch).item() - before) / step / 3
            with torch.no_grad():
                site.second.weight[:, neuron] /= 1 - step
            expected = statistics.effects("forget", "multimodal", site.name).mean[neuron].item()
            assert change == pytest.approx(expected, abs=1e-5)


def test_measuring_leaves_the_model_as_it_was():
    torch.manual_seed(0)
    model = Model().train()
    model.head.weight.requires_grad_(False)
    batches = {
        ("forget", "multimodal"): [make_batch(2, 4, pixels=True)],
        ("forget", "text"): [make_batch(2, 4, pixels=False)],
    }
    statistics = measured(model, batches)
    assert model.training and not model.head.weight.requires_grad and model.embedding.weight.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(site.second._forward_pre_hooks for site in model.mlp_sites())
    vision = statistics.effects("forget", "text", "vision.0")
    assert vision.count == 2 and vision.sum_abs.eq(0).all()
    assert statistics.effects("forget", "multimodal", "vision.0").sum_abs.gt(0).any()


def test_a_graph_that_outlives_the_block_calls_back_no_more():
    model, heard = Model(), []
    with record_gradients(model.mlp_sites(), lambda site, z, gradient: heard.append(site.name)):
        value = loss(model, make_batch(1, 4, pixels=False))
    value.backward()
    assert heard == []


def test_statistics_pass_through_their_file(tmp_path):
    torch.manual_seed(0)
    model = Model()
    groups = {
        (s, m): [make_batch(2, 4, pixels=m == "multimodal")]
        for s in ("forget", "retain")
        for m in ("multimodal", "text")
    }
    statistics = measured(model, groups)
    statistics.save(tmp_path / "a")
    GradientStatistics.load(tmp_path / "a").save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with pytest.raises(UserError, match="cannot be read"):
        GradientStatistics.load(tmp_path / "absent")


def statistics(values: dict[tuple[str, str], list[float]]) -> GradientStatistics:
    """One sample with these effects in each set and modality, of one site."""
    result = GradientStatistics({"language.0": 4})
    for (data_set, modality), effects in values.items():
        z = -torch.tensor([[effects]])
        result.add_values(data_set, modality, "language.0", {"effect": effects_of(z, torch.ones_like(z))})
    return result


def test_two_stages_by_hand():
    given = statistics(
        {
            ("forget", "multimodal"): [8.0, 4.0, 1.0, 1.0],
            ("retain", "multimodal"): [1.0, 1.0, 1.0, 1.0],
            ("forget", "text"): [1.0, 3.0, 9.0, 1.0],
            ("retain", "text"): [1.0, 1.0, 1.0, 1.0],
        }
    )
    # damping 1: s = forget / 2. In both modalities neuron 1 has the most (2 and 1.5), with the picture 0, by name 2.
    assert ManuGradient(prune_ratio=25, shared=1, damping=1).select(given).masks["language.0"].tolist() == [
        0,
        1,
        0,
        0,
    ]
    assert ManuGradient(prune_ratio=25, shared=0, multimodal=1).select(given).masks["language.0"].tolist() == [
        1,
        0,
        0,
        0,
    ]
    assert ManuGradient(prune_ratio=25, shared=0, multimodal=0).select(given).masks["language.0"].tolist() == [
        0,
        0,
        1,
        0,
    ]
    three = ManuGradient(prune_ratio=75, shared=1 / 3, multimodal=0.5, damping=1).select(given)
    assert three.masks["language.0"].tolist() == [1, 1, 1, 0]
    assert three.scores["language.0"].tolist() == [4.0, 2.0, 4.5, 0.5]
    assert three.ranks["language.0"].tolist() == [2, 3, 1, 4]
    assert three.importances["a_text_forget"]["language.0"].tolist() == [1.0, 3.0, 9.0, 1.0]


def test_damping_keeps_neurons_out_that_matter_to_neither():
    given = statistics(
        {("forget", m): [2.0, 1e-6, 0.0, 0.0] for m in ("multimodal", "text")}
        | {("retain", m): [1.0, 1e-9, 1.0, 1.0] for m in ("multimodal", "text")}
    )
    assert ManuGradient(prune_ratio=25).select(given).masks["language.0"].tolist() == [1, 0, 0, 0]
    assert ManuGradient(prune_ratio=25, damping=1e-12).select(given).masks["language.0"].tolist() == [0, 1, 0, 0]


def test_turns_take_what_is_left():
    scores = {"a": torch.tensor([3.0, 2.0]), "b": torch.tensor([1.0])}
    chosen = select_in_turn([(scores, 1), (scores, 5)], scores)
    assert chosen.pruned == 3
    with pytest.raises(UserError, match="less than one of 3 units"):
        select_in_turn([(scores, 0)], scores)
