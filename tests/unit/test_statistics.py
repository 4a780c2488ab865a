"""Running statistics against numbers worked out by hand and against whole-array computation."""

import hashlib
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from tiny_model import TinyModel, make_batch

from manu.core.errors import NotFinite, UserError
from manu.core.words import MODALITIES, SETS
from manu.neurons.activations import record_activations
from manu.neurons.measuring import measure
from manu.neurons.pooling import POOLINGS, pool_tokens
from manu.neurons.statistics.modality import ModalityStatistics
from manu.neurons.tensor_file import load_tensors, save_tensors

# One sample, three tokens, the last one padding; two neurons.
Z = torch.tensor([[[1.0, -4.0], [-3.0, 2.0], [100.0, 100.0]]])
MASK = torch.tensor([[1, 1, 0]])


def test_an_activation_that_is_no_number_stops_with_site_and_samples():
    statistics = ModalityStatistics({"language.0": 3}, tau=0.0)
    statistics.add_values("forget", "text", "language.0", pool_tokens(torch.ones(2, 4, 3)))
    broken = torch.ones(2, 4, 3)
    broken[1, 2, 0] = float("inf")
    with pytest.raises(NotFinite, match=r"language.0: among samples 3 to 4 of the forget set, text, an activation is"):
        statistics.add_values("forget", "text", "language.0", pool_tokens(broken))


def test_pooling_ignores_padding():
    pooled = pool_tokens(Z, MASK)
    assert pooled["mean"].tolist() == [[2.0, 3.0]]  # (1 + 3) / 2, (4 + 2) / 2
    assert pooled["last"].tolist() == [[-3.0, 2.0]]  # signed, second token
    assert pooled["max"].tolist() == [[3.0, 4.0]]
    assert all(value.dtype == torch.float64 for value in pooled.values())


def test_pooling_with_padding_on_the_left_and_without_a_mask():
    assert pool_tokens(Z.flip(1), MASK.flip(1))["last"].tolist() == [[1.0, -4.0]]
    assert pool_tokens(Z)["last"].tolist() == [[100.0, 100.0]]


def test_padding_may_hold_nan():
    assert pool_tokens(Z.masked_fill(Z == 100, float("nan")), MASK)["max"].tolist() == [[3.0, 4.0]]


def test_a_sample_of_padding_alone_stops():
    with pytest.raises(ValueError, match="no real token"):
        pool_tokens(Z, torch.zeros(1, 3))


def test_sums_by_hand():
    statistics = ModalityStatistics({"language.0": 2}, tau=2.5)
    statistics.add_values("forget", "text", "language.0", pool_tokens(Z, MASK))
    statistics.add_values("forget", "text", "language.0", pool_tokens(torch.tensor([[[5.0, 1.0]]])))
    statistics.add_silent("forget", "text", "language.0", 3)

    last = statistics.sums("forget", "text", "last", "language.0")  # samples: (-3, 2), (5, 1), three silent
    assert last.count == 5
    assert last.sum_abs.tolist() == [8.0, 3.0]
    assert last.sum.tolist() == [2.0, 3.0]
    assert last.sum_sq.tolist() == [34.0, 5.0]  # 9 + 25, 4 + 1
    assert last.count_over.tolist() == [2.0, 0.0]  # 3 and 5 exceed 2.5; 2 and 1 do not

    mean = statistics.sums("forget", "text", "mean", "language.0")  # samples: (2, 3), (5, 1), three silent
    assert mean.sum_abs.tolist() == mean.sum.tolist() == [7.0, 4.0]
    assert mean.count_over.tolist() == [1.0, 1.0]


def test_a_value_equal_to_tau_is_not_over_it():
    statistics = ModalityStatistics({"language.0": 1}, tau=2.0)
    statistics.add_values("forget", "text", "language.0", pool_tokens(torch.tensor([[[2.0]]])))
    assert statistics.sums("forget", "text", "mean", "language.0").count_over.tolist() == [0.0]


def test_nothing_measured_stops():
    with pytest.raises(ValueError, match="no text sample of the retain set"):
        ModalityStatistics({"language.0": 1}, tau=0.1).sums("retain", "text", "mean", "language.0")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_streaming_equals_the_whole_array(pooling):
    torch.manual_seed(0)
    z, mask = torch.randn(23, 5, 4), torch.rand(23, 5) > 0.4
    mask[:, 0] = True
    statistics = ModalityStatistics({"language.0": 4}, tau=0.5)
    for part, part_mask in zip(z.split(4), mask.split(4), strict=True):
        statistics.add_values("retain", "text", "language.0", pool_tokens(part, part_mask))
    sums = statistics.sums("retain", "text", pooling, "language.0")

    rows = []
    for sample, keep in zip(z.double(), mask, strict=True):
        real = sample[keep]
        rows.append({"mean": real.abs().mean(0), "last": real[-1], "max": real.abs().max(0).values}[pooling])
    whole = torch.stack(rows)
    assert sums.count == 23
    torch.testing.assert_close(sums.sum_abs, whole.abs().sum(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(sums.sum, whole.sum(0), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sums.sum_sq, whole.square().sum(0), rtol=1e-12, atol=0)
    assert sums.count_over.tolist() == (whole.abs() > 0.5).sum(0).tolist()


def site(name: str, width: int) -> SimpleNamespace:
    """What statistics need to know of a site."""
    return SimpleNamespace(name=name, width=width)


def measured(model) -> ModalityStatistics:
    batches = {
        (data_set, modality): [
            make_batch(3, 5, pixels=modality == "multimodal", seed=seed, padding=2) for seed in range(2)
        ]
        for data_set in SETS
        for modality in MODALITIES
    }
    sites = model.mlp_sites()
    return measure(ModalityStatistics.at(sites, tau=0.1), model, sites, batches)


def test_measuring_counts_vision_as_silent_on_text_and_skips_padding():
    torch.manual_seed(0)
    model = TinyModel().train()
    statistics = measured(model)
    assert model.training  # the mode came back
    assert statistics.samples("forget", "text") == 6
    vision = statistics.sums("forget", "text", "mean", "vision.1")
    assert vision.count == 6 and vision.sum_abs.eq(0).all() and vision.count_over.eq(0).all()
    assert statistics.sums("forget", "multimodal", "mean", "vision.1").sum_abs.gt(0).all()

    expected = torch.zeros(6, dtype=torch.float64)
    for seed in range(2):
        batch = make_batch(3, 5, pixels=False, seed=seed, padding=2)
        heard = []
        with torch.no_grad(), record_activations(model.mlp_sites()[:1], lambda site, z, heard=heard: heard.append(z)):
            model(batch["input_ids"], batch["attention_mask"])
        for row, real in enumerate((3, 5, 5)):
            expected += heard[0][row, :real].double().abs().mean(0)
    torch.testing.assert_close(statistics.sums("forget", "text", "mean", "language.0").sum_abs, expected)


def test_measuring_stops_when_rows_are_not_samples():
    model = TinyModel()
    sites, batch = model.mlp_sites(), make_batch(1, 4, pixels=True)
    batch["pixel_values"] = batch["pixel_values"].repeat(2, 1, 1)  # two pictures for one sample
    with pytest.raises(ValueError, match="vision.0: needed one pass with 1 rows"):
        measure(ModalityStatistics.at(sites, tau=0.1), model, sites, {("forget", "multimodal"): [batch]})


def test_milestones_keep_the_sums_of_the_first_samples():
    z = torch.tensor([[[1.0]], [[2.0]], [[4.0]]])
    statistics = ModalityStatistics({"language.0": 1}, tau=1.5, milestones=(2, 4, 9))
    statistics.add_values("forget", "text", "language.0", pool_tokens(z))
    statistics.add_silent("forget", "text", "language.0", 2)
    at = {n: statistics.sums("forget", "text", "mean", "language.0", n) for n in (0, 2, 4)}
    assert {n: (sums.count, float(sums.sum_abs), float(sums.count_over)) for n, sums in at.items()} == {
        0: (5, 7.0, 2.0),
        2: (2, 3.0, 1.0),
        4: (4, 7.0, 2.0),
    }
    with pytest.raises(UserError, match="samples: 9 asked for, but only 5 of the forget set were measured"):
        statistics.sums("forget", "text", "mean", "language.0", 9)
    with pytest.raises(UserError, match="have no sums of the first 3"):
        statistics.sums("forget", "text", "mean", "language.0", 3)


def test_every_other_sample_is_in_the_first_half_and_the_rest_in_the_second():
    z = torch.tensor([[1.0], [2.0], [4.0], [8.0], [16.0], [32.0], [64.0]])[
        :, None
    ]  # seven samples, one token, one neuron
    statistics = ModalityStatistics.at([site("language.0", 1)], tau=0.1, milestones=[3])
    for part in z.split([3, 1, 3]):
        statistics.add("forget", "text", [{"language.0": pool_tokens(part)}], len(part))
    even, odd = (half.sums("forget", "text", "mean", "language.0") for half in statistics.halves())
    assert (even.count, even.sum.item()) == (4, 1 + 4 + 16 + 64)
    assert (odd.count, odd.sum.item()) == (3, 2 + 8 + 32)
    even, odd = (half.sums("forget", "text", "mean", "language.0", 3) for half in statistics.halves())
    assert (even.count, even.sum.item()) == (2, 1 + 4)
    assert (odd.count, odd.sum.item()) == (1, 2)


def test_halves_pass_through_the_file_and_silent_samples_are_dealt_out_too(tmp_path):
    statistics = ModalityStatistics.at([site("vision.0", 1)], tau=0.1)
    statistics.add("forget", "text", [{}], 3)
    statistics.save(tmp_path / "statistics.safetensors")
    halves = ModalityStatistics.load(tmp_path / "statistics.safetensors").halves()
    assert [half.samples("forget", "text") for half in halves] == [2, 1]


def test_save_and_load_give_the_same_sums_and_the_same_bytes(tmp_path):
    statistics = measured(TinyModel())
    statistics.save(tmp_path / "a.safetensors")
    loaded = ModalityStatistics.load(tmp_path / "a.safetensors")
    loaded.save(tmp_path / "b.safetensors")
    assert loaded.widths == statistics.widths and list(loaded.widths) == list(statistics.widths)
    assert loaded.tau == 0.1
    digest = [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a.safetensors", "b.safetensors")]
    assert digest[0] == digest[1]
    one, other = (each.sums("forget", "multimodal", "last", "vision.0") for each in (statistics, loaded))
    assert one.count == other.count and torch.equal(one.sum, other.sum)


def test_load_names_what_is_missing_or_misshapen(tmp_path):
    path = tmp_path / "statistics.safetensors"
    measured(TinyModel()).save(path)
    tensors, metadata = load_tensors(path, "modality statistics")
    key = "forget/text/mean/language.0/0/sum_sq"

    save_tensors(path, {name: tensor for name, tensor in tensors.items() if name != key}, metadata)
    with pytest.raises(UserError, match="misses 1 of .* tensors, first 'forget/text/mean/language.0/0/sum_sq'"):
        ModalityStatistics.load(path)

    save_tensors(path, tensors | {key: torch.zeros(5)}, metadata)
    with pytest.raises(UserError, match=r"has shape \(5,\); needed: \(6,\)"):
        ModalityStatistics.load(path)

    save_tensors(path, tensors | {"more": torch.zeros(1)}, metadata)
    with pytest.raises(UserError, match="unexpected tensors, first 'more'"):
        ModalityStatistics.load(path)

    save_tensors(path, tensors, {"content": "modality statistics", "tau": 0.1})
    with pytest.raises(UserError, match="misses 'widths'"):
        ModalityStatistics.load(path)


def test_load_refuses_other_files(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        ModalityStatistics.load(tmp_path / "absent.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors here")
    with pytest.raises(UserError, match="cannot be read"):
        ModalityStatistics.load(tmp_path / "text.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(UserError, match="holds no content of this package; needed: modality statistics"):
        ModalityStatistics.load(tmp_path / "foreign.safetensors")
