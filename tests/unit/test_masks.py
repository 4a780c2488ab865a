"""Masks: exact removal, one file format for both units, errors before any change."""

import copy

import pytest
import torch
from tiny_model import GatedMlp, PlainMlp, TinyModel

from manu.core.errors import UserError
from manu.neurons.masks import Mask, apply_mask, free_weights, load_mask, save_mask
from manu.neurons.selection import LINEAR_OUTPUT, MLP_INPUT, select_top
from manu.neurons.sites import LinearSite, MlpSite
from manu.neurons.table import neurons_table
from manu.neurons.tensor_file import save_tensors

MASK = torch.tensor([False, True, False, True])


def removed(linear: torch.nn.Linear, *, rows=None, columns=None) -> torch.nn.Linear:
    """A smaller layer without the masked rows or columns."""
    keep_rows = ~rows if rows is not None else torch.ones(linear.out_features, dtype=torch.bool)
    keep_columns = ~columns if columns is not None else torch.ones(linear.in_features, dtype=torch.bool)
    smaller = torch.nn.Linear(int(keep_columns.sum()), int(keep_rows.sum()), bias=linear.bias is not None)
    smaller.weight.data = linear.weight.data[keep_rows][:, keep_columns]
    if linear.bias is not None:
        smaller.bias.data = linear.bias.data[keep_rows]
    return smaller


@pytest.mark.parametrize("bias", [False, True])
def test_zeroing_a_gated_unit_equals_removing_it(bias):
    torch.manual_seed(0)
    mlp = GatedMlp(3, 4, bias=bias).double()
    small = copy.deepcopy(mlp)
    small.gate_proj = removed(mlp.gate_proj, rows=MASK)
    small.up_proj = removed(mlp.up_proj, rows=MASK)
    small.down_proj = removed(mlp.down_proj, columns=MASK)
    site = MlpSite("language.0", "language", 0, (mlp.gate_proj, mlp.up_proj), mlp.down_proj)
    apply_mask(Mask({"language.0": MASK}, MLP_INPUT), [site], [])
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(mlp(x), small(x), rtol=0, atol=1e-15)
    assert mlp.gate_proj.weight[1].eq(0).all() and mlp.down_proj.weight[:, 3].eq(0).all()
    assert mlp.down_proj.weight[:, 0].ne(0).all()


def test_zeroing_a_plain_unit_equals_removing_it():
    torch.manual_seed(0)
    mlp = PlainMlp(3, 4).double()
    small = copy.deepcopy(mlp)
    small.fc1, small.fc2 = removed(mlp.fc1, rows=MASK), removed(mlp.fc2, columns=MASK)
    apply_mask(Mask({"vision.0": MASK}, MLP_INPUT), [MlpSite("vision.0", "vision", 0, (mlp.fc1,), mlp.fc2)], [])
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(mlp(x), small(x), rtol=0, atol=1e-15)
    assert mlp.fc1.bias[1] == 0 and mlp.fc2.bias.ne(0).all()  # the bias of fc2 belongs to no unit


@pytest.mark.parametrize("unit", [MLP_INPUT, LINEAR_OUTPUT])
def test_a_factor_scales_what_the_units_give(unit, tmp_path):
    torch.manual_seed(0)
    mlp = GatedMlp(3, 4, bias=True).double()
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    hidden = torch.nn.functional.silu(mlp.gate_proj(x)) * mlp.up_proj(x)
    if unit == MLP_INPUT:
        expected = mlp.down_proj(torch.where(MASK, hidden * 0.25, hidden))
    else:  # the rows of `up`, bias included
        up = mlp.up_proj(x)
        expected = mlp.down_proj(torch.nn.functional.silu(mlp.gate_proj(x)) * torch.where(MASK, up * 0.25, up))
    save_mask(tmp_path / "mask", Mask({"language.0": MASK}, unit, 0.25))
    sites = [MlpSite("language.0", "language", 0, (mlp.gate_proj, mlp.up_proj), mlp.down_proj)]
    apply_mask(load_mask(tmp_path / "mask"), sites, [LinearSite("language.0", "language", "up", 0, mlp.up_proj)])
    torch.testing.assert_close(mlp(x), expected, rtol=0, atol=1e-15)


def test_masked_rows_are_silent():
    linear = torch.nn.Linear(3, 4)
    site = LinearSite("language.up.0", "language", "up", 0, linear)
    apply_mask(Mask({site.name: MASK}, LINEAR_OUTPUT), [], [site])
    out = linear(torch.randn(2, 3))
    assert out[:, MASK].eq(0).all() and out[:, ~MASK].ne(0).all()


@pytest.mark.parametrize("unit", [MLP_INPUT, LINEAR_OUTPUT])
def test_a_mask_file_knows_what_it_masks(tmp_path, unit):
    torch.manual_seed(0)
    model = TinyModel()
    sites = model.mlp_sites() if unit == MLP_INPUT else model.linear_sites()
    masks = {site.name: torch.arange(site.width) == 0 for site in sites if site.part == "language"}
    save_mask(tmp_path / "mask.safetensors", Mask(masks, unit))
    loaded = load_mask(tmp_path / "mask.safetensors")
    assert (loaded.unit, loaded.factor) == (unit, 0.0) and list(loaded.masks) == list(masks)

    before = copy.deepcopy(model)
    apply_mask(loaded, model.mlp_sites(), model.linear_sites())
    assert model.language[0].gate_proj.weight[0].eq(0).all()
    assert model.language[0].down_proj.weight[:, 0].eq(0).all() == (unit == MLP_INPUT)
    assert model.language[0].down_proj.weight[0].eq(0).all() == (unit == LINEAR_OUTPUT)
    assert torch.equal(model.vision[0].fc1.weight, before.vision[0].fc1.weight)


@pytest.mark.parametrize("unit", [MLP_INPUT, LINEAR_OUTPUT])
def test_free_weights_are_those_that_a_mask_leaves(unit):
    torch.manual_seed(0)
    model = TinyModel()
    sites = model.mlp_sites() if unit == MLP_INPUT else model.linear_sites()
    mask = Mask({site.name: torch.arange(site.width) % 2 == 0 for site in sites if site.layer == 1}, unit)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    free = free_weights(model, mask, model.mlp_sites(), model.linear_sites())
    apply_mask(mask, model.mlp_sites(), model.linear_sites())
    for name, weight in model.named_parameters():
        assert torch.equal(weight[free[name]], before[name][free[name]])
        assert weight[~free[name]].eq(0).all()
        assert free[name].all() == torch.equal(weight, before[name])


def test_a_mask_that_does_not_fit_changes_nothing():
    model = TinyModel()
    before = copy.deepcopy(model.state_dict())
    fits = torch.ones(6, dtype=torch.bool)
    with pytest.raises(UserError, match=r"vision.1 has shape \(5,\); needed: \(6,\)"):
        apply_mask(Mask({"language.0": fits, "vision.1": fits[:5]}, MLP_INPUT), model.mlp_sites(), [])
    with pytest.raises(UserError, match="unknown site 'language.7'; known: language.0, language.1, vision.0, vision.1"):
        apply_mask(Mask({"language.0": fits, "language.7": fits}, MLP_INPUT), model.mlp_sites(), [])
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_load_mask_refuses_an_unknown_unit(tmp_path):
    metadata = {"content": "pruning mask", "unit": "head", "sites": ["language.0"]}
    save_tensors(tmp_path / "mask", {"language.0": MASK}, metadata)
    with pytest.raises(UserError, match="unknown unit 'head'; known: linear_output, mlp_input"):
        load_mask(tmp_path / "mask")
    save_tensors(tmp_path / "mask", {"language.0": MASK}, metadata | {"unit": MLP_INPUT, "factor": 1.5})
    with pytest.raises(UserError, match="its factor is 1.5; needed: from 0 to less than 1"):
        load_mask(tmp_path / "mask")


def test_neurons_table_lists_the_pruned_neurons_best_first():
    scores = {"language.3": torch.tensor([1.0, 5.0]), "vision.0": torch.tensor([7.0, 2.0])}
    columns = [f"i_{name}_{data_set}" for data_set in ("forget", "retain") for name in ("abs", "freq", "var", "rms")]
    importances = {
        column: {site: values * factor for site, values in scores.items()} for factor, column in enumerate(columns, 1)
    }
    table = neurons_table(select_top(scores, 50, importances=importances))
    assert list(table.columns) == ["site", "part", "layer", "index", *columns, "score", "rank"]
    assert table[["site", "part", "layer", "index", "score", "rank"]].values.tolist() == [
        ["vision.0", "vision", 0, 0, 7.0, 1],
        ["language.3", "language", 3, 1, 5.0, 2],
    ]
    assert table["i_rms_forget"].tolist() == [28.0, 20.0]  # the fourth column: score times 4
