"""Low-rank adapters: what they add, where they sit, and that only a plain model is left of them."""

import numpy as np
import pytest
import torch
from torch import nn

from manu.data.reading import read_names, read_training_data
from manu.models.loading import prepare_torch
from manu.training.dataset import TrainingSet
from manu.training.loop import Diverged, Optimisation, fit
from manu.training.lora import ADAPTER, Lora, adapted, base_lora, released_lora
from manu.training.losses import answer_cross_entropy

CONFIG = {"lora": {"rank": 2, "alpha": 4, "dropout": 0.2}}


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 1))


def set_adapter(layer: nn.Module, down: list, up: list) -> None:
    with torch.no_grad():
        layer.lora_A[ADAPTER].weight.copy_(torch.tensor(down))
        layer.lora_B[ADAPTER].weight.copy_(torch.tensor(up))


def test_the_merge_by_hand():
    model = two_layers()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with adapted(model, Lora(("0",), rank=1, alpha=2.0)):
        assert {name for name, weight in model.named_parameters() if weight.requires_grad} == {
            "0.lora_A.default.weight",
            "0.lora_B.default.weight",
        }
        assert not model[0].lora_B[ADAPTER].weight.any()  # the model is unchanged at first
        set_adapter(model[0], [[1.0, 0.0, 2.0]], [[1.0], [3.0]])
    # W + alpha / rank * B A = W + 2 * [[1, 0, 2], [3, 0, 6]]
    added = torch.tensor([[2.0, 0.0, 4.0], [6.0, 0.0, 12.0]])
    torch.testing.assert_close(model[0].weight, before["0.weight"] + added)
    assert list(model.state_dict()) == list(before) and type(model[0]) is nn.Linear
    assert torch.equal(model[1].weight, before["1.weight"])
    assert all(weight.requires_grad for weight in model.parameters())


def test_without_adapters_nothing_happens():
    model, masks = two_layers(), {"0.weight": torch.ones(2, 3, dtype=torch.bool)}
    with adapted(model, None, masks) as held:
        assert held is masks and type(model[0]) is nn.Linear


def test_held_rows_and_columns_get_no_part_of_an_adapter_while_it_learns():
    model = two_layers()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    free = torch.tensor([[True, False, True], [False, False, False]])
    added = []

    def loss(x):
        layer = model[0]
        added.append((layer.lora_B[ADAPTER].weight @ layer.lora_A[ADAPTER].weight).detach())
        return model(x).square().sum()

    lora = Lora(("0", "1"), rank=2, dropout=0.0)
    fit(model, [torch.ones(4, 3)] * 5, loss, Optimisation(0.1, 5), {"0.weight": free}, lora)
    assert not torch.stack(added)[:, ~free].any() and added[-1][free].all()
    assert torch.equal(model[0].weight[~free], before["0.weight"][~free])
    assert (model[0].weight != before["0.weight"])[free].all()
    assert torch.equal(model[1].weight, before["1.weight"])  # no mask: it does not learn


def test_single_held_weights_are_set_back_after_the_merge():
    model = two_layers()
    before = model[0].weight.detach().clone()
    free = torch.tensor([[True, False, True], [False, True, False]])
    lora = Lora(("0",), rank=2, dropout=0.0)
    batches, how = [torch.ones(4, 3)] * 5, Optimisation(0.1, 5)
    fit(model, batches, lambda x: model(x).square().sum(), how, {"0.weight": free}, lora)
    assert torch.equal(model[0].weight != before, free)


def test_a_training_that_fails_leaves_a_plain_model():
    model, how = two_layers(), Optimisation(0.1, 1)
    with pytest.raises(Diverged):
        fit(model, [float("nan")], lambda x: model[0](torch.ones(1, 3)).sum() * x, how, None, Lora(("0",)))
    assert type(model[0]) is nn.Linear and all(weight.requires_grad for weight in model.parameters())


def with_adapters(model: nn.Module) -> set[str]:
    return {name.removesuffix(".lora_A") for name, _ in model.named_modules() if name.endswith(".lora_A")}


def test_the_released_targets(vlm):
    inside = set(vlm.language_linears)
    last = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert {name.rpartition(".")[2] for name in inside} == last and len(inside) == 2 * len(last)
    linears = {name for name, module in vlm.model.named_modules() if isinstance(module, nn.Linear)}
    with adapted(vlm.model, released_lora(CONFIG, vlm)):
        found = with_adapters(vlm.model)
    assert found == {name for name in linears if name.rpartition(".")[2] in last}
    assert inside <= found and not any(name.endswith(("lm_head", "out_proj", "fc1", "fc2")) for name in found)
    assert released_lora({}, vlm) is None and base_lora({}, vlm) is None


def test_in_the_base_stage_all_but_the_language_model_learns_in_full(vlm):
    own = {name for name, _ in vlm.model.named_parameters()}
    inside, outside = set(vlm.language_linears), set(vlm.outside_language)
    with adapted(vlm.model, base_lora(CONFIG, vlm)):
        assert with_adapters(vlm.model) == inside
        learning = {name for name, weight in vlm.model.named_parameters() if weight.requires_grad}
    in_full = {name for name in learning if ".lora_" not in name}
    assert in_full == outside < own
    assert not any("lm_head" in name or "embed_tokens" in name for name in in_full)


@pytest.fixture
def batches(vlm, benchmark_folder):
    ids = sorted(read_names(benchmark_folder))[:2]
    lessons = [lesson for lesson in read_training_data(benchmark_folder) if lesson.id in ids]
    training_set = TrainingSet(vlm).add(lessons, read_names(benchmark_folder))
    return [batch for _ in range(3) for _, batch in training_set.epoch(8, np.random.default_rng(0))]


def test_the_merged_model_answers_as_the_adapted_one(vlm, batches):
    lora = released_lora(CONFIG, vlm)
    picture = next(batch for batch in batches if "pixel_values" in batch)
    with torch.no_grad():
        first = vlm.model(**picture).logits
        with adapted(vlm.model, lora):
            for layer in vlm.model.modules():
                if hasattr(layer, "lora_B"):
                    layer.lora_B[ADAPTER].weight.normal_(std=0.3)
            vlm.model.eval()
            before = vlm.model(**picture).logits
        after = vlm.model(**picture).logits
    torch.testing.assert_close(before, after, rtol=1e-3, atol=5e-3)
    assert not torch.allclose(first, after, atol=1e-2)


def test_the_seed_decides_dropout_included_and_the_loss_falls(vlm, batches, tmp_path):
    start = {name: weight.clone() for name, weight in vlm.model.state_dict().items()}
    runs = []
    for _ in range(2):
        vlm.model.load_state_dict(start)
        prepare_torch(3)
        losses = fit(
            vlm.model,
            batches,
            lambda batch: answer_cross_entropy(vlm.model, batch),
            Optimisation(1e-2, len(batches)),
            lora=released_lora(CONFIG, vlm),
        )
        vlm.save(tmp_path / "checkpoint")
        runs.append((losses, (tmp_path / "checkpoint" / "model.safetensors").read_bytes()))
    assert runs[0] == runs[1] and np.mean(runs[0][0][-5:]) < np.mean(runs[0][0][:5])
    again = type(vlm).load(tmp_path / "checkpoint")
    with torch.no_grad():
        assert torch.equal(again.model(**batches[0]).logits, vlm.model(**batches[0]).logits)
