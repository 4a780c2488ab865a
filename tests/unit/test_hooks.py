"""Hooks hear the right tensor, change nothing, and are gone after the block."""

import pytest
import torch
from tiny_model import TinyModel, make_batch
from torch import nn

from manu.neurons.activations import record_activations
from manu.neurons.sites import LinearSite, MlpSite


def hooks_left(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_mlp_site_hears_the_input_of_second_and_linear_site_the_output():
    linear = nn.Linear(2, 2, bias=False)
    linear.weight.data = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    heard = {}
    mlp_site = MlpSite("language.0", "language", 0, (), linear)
    linear_site = LinearSite("language.down.0", "language", "down", 0, linear)
    with record_activations([mlp_site, linear_site], lambda site, activation: heard.update({site.name: activation})):
        linear(torch.tensor([[[1.0, -1.0]]]))
    assert heard["language.0"].tolist() == [[[1.0, -1.0]]]
    assert heard["language.down.0"].tolist() == [[[-1.0, -1.0]]]  # 1 - 2, 3 - 4
    assert not heard["language.down.0"].requires_grad


def test_the_forward_pass_is_unchanged():
    torch.manual_seed(0)
    model, batch = TinyModel(), make_batch(2, 5, pixels=True)
    del batch["labels"]
    before = model(**batch).logits
    with record_activations(model.mlp_sites() + model.linear_sites(), lambda site, activation: activation):
        assert torch.equal(model(**batch).logits, before)
    assert hooks_left(model) == 0


def test_no_hook_is_left_after_an_exception():
    model = TinyModel()

    def fail(site, activation):
        raise RuntimeError("stop")

    batch = make_batch(1, 4, pixels=True)
    with pytest.raises(RuntimeError, match="stop"), record_activations(model.mlp_sites(), fail):
        assert hooks_left(model) == 4
        model(batch["input_ids"], batch["attention_mask"])
    assert hooks_left(model) == 0


def test_no_hook_is_left_when_attaching_fails():
    model = TinyModel()
    with (
        pytest.raises(TypeError, match="not a site"),
        record_activations([*model.mlp_sites(), "language.0"], print),
    ):
        raise AssertionError("the block must not start")
    assert hooks_left(model) == 0
