"""The released code's statistics, score and selection."""

import math

import pytest
import torch
from tiny_model import TinyModel, make_batch

from manu.core.errors import UserError
from manu.neurons.activations import record_activations
from manu.neurons.measuring import measure
from manu.neurons.selection import last_layers
from manu.neurons.statistics.released import (
    METRICS,
    Moments,
    ReleasedAccumulator,
    ReleasedStatistics,
    group_of,
    released_score,
)
from manu.neurons.tensor_file import load_tensors, save_tensors
from manu.unlearning.manu_released import ManuReleased


def column(*values: float) -> torch.Tensor:
    """Outputs of one row: a batch of len(values) samples with one token."""
    return torch.tensor(values)[:, None, None]


def moments(*outputs: tuple[str, torch.Tensor]) -> dict[str, Moments]:
    """The moments by group of one pass through these sites."""
    heard: dict[str, Moments] = {}
    for site, values in outputs:
        heard.setdefault(group_of(site), Moments()).add(values)
    return heard


def result_of(*batches: torch.Tensor, site: str = "language.up.0") -> dict[str, float]:
    accumulator = ReleasedAccumulator()
    for batch in batches:
        accumulator.add_batch([moments((site, batch))])
    return {metric: value.tolist()[0] for (_, metric), value in accumulator.result().items()}


def test_metrics_of_one_batch():
    # samples 1, -3, 0.05, 0: mean |a| = 4.05 / 4; two of four exceed 0.1; mean -1.95 / 4
    result = result_of(column(1, -3, 0.05, 0))
    assert result["abs"] == pytest.approx(4.05 / 4)
    assert result["freq"] == 0.5
    assert result["rms"] == pytest.approx(math.sqrt((1 + 9 + 0.0025) / 4))
    mean = -1.95 / 4
    assert result["var"] == pytest.approx(math.sqrt(sum((x - mean) ** 2 for x in (1, -3, 0.05, 0)) / 3))


def test_outputs_are_clamped():
    assert result_of(column(5e3, -5e3))["abs"] == 1e3


def test_a_single_entry_has_no_deviation():
    assert result_of(column(3)) == {"abs": 3, "freq": 1, "var": 0, "rms": 3}


def test_layers_pool_their_entries():
    accumulator = ReleasedAccumulator()
    accumulator.add_batch([moments(("language.up.0", column(1)), ("language.up.1", column(3)))])
    result = accumulator.result()
    assert set(result) == {("language.up", metric) for metric in METRICS}
    assert result["language.up", "var"].item() == pytest.approx(math.sqrt(2))  # 1 and 3 around 2, over n - 1
    assert result["language.up", "rms"].item() == pytest.approx(math.sqrt(5))


def test_sums_of_layers_on_several_devices_are_gathered_on_that_of_the_first():
    far = column(3).to("meta")
    assert moments(("language.up.0", far), ("language.up.1", column(3)))["language.up"].sums[0].device.type == "meta"
    parts = [moments(("language.up.0", far)), moments(("language.up.1", column(3)))]
    accumulator = ReleasedAccumulator()
    accumulator.add_batch(parts)


def test_reduced_over_entries_before_positions():
    # two samples, two tokens: rms per position sqrt((9 + 9) / 2) = 3 and 1; mean 2, not sqrt(5)
    assert result_of(torch.tensor([[[3.0], [1.0]], [[-3.0], [1.0]]]))["rms"] == pytest.approx(2)


def test_ten_batches_make_a_chunk_and_chunks_weigh_the_same():
    batches = [column(2, 2)] * 10 + [column(8, 8)]
    assert result_of(*batches)["abs"] == 5  # (2 + 8) / 2, not (10 * 2 + 8) / 11


def test_positions_of_a_chunk_weigh_the_same():
    long, short = torch.full((2, 3, 1), 1.0), torch.full((2, 1, 1), 5.0)
    assert result_of(long, short)["abs"] == 2  # (1 + 1 + 1 + 5) / 4


def statistics(forget: dict[str, list[float]], retain: dict[str, list[float]]) -> ReleasedStatistics:
    result = ReleasedStatistics({f"language.up.{i}": 4 for i in range(5)})
    for data_set, by_metric in (("forget", forget), ("retain", retain)):
        for metric in METRICS:
            key = f"{data_set}/language.up/{metric}"
            result.tensors[key] = torch.tensor(by_metric[metric], dtype=torch.float64)
    return result


ONES = {metric: [1.0] * 4 for metric in METRICS}
FORGET = {"abs": [2, 1, 1, 1], "freq": [1, 9, 1, 1], "var": [1, 1, 3, 1], "rms": [1, 1, 1, 1]}


def test_score_is_a_weighted_sum_of_ratios():
    ratio = 1 / (1 + 1e-5)
    score = released_score(statistics(FORGET, ONES), "language.up.0").tolist()
    assert score[0] == pytest.approx(2 * (2 * ratio - 1) + 4 * (ratio - 1))  # abs doubled
    assert score[1] == pytest.approx(6 * (ratio - 1))  # the frequency weighs nothing
    assert score[2] == pytest.approx(2 * (3 * ratio - 1) + 4 * (ratio - 1))  # deviation tripled


def test_nan_stops():
    with pytest.raises(ValueError, match="1 rows of language.up are not finite"):
        released_score(statistics(FORGET | {"rms": [float("nan"), 1, 1, 1]}, ONES), "language.up.0")


def test_selection_gives_the_last_three_layers_the_same_mask():
    selection = ManuReleased(prune_ratio=25).select(statistics(FORGET, ONES))
    assert selection.unit == "linear_output"
    assert {site: mask.tolist() for site, mask in selection.masks.items()} == {
        f"language.up.{layer}": [False, False, True, False] for layer in (2, 3, 4)
    }
    # 10 percent of 12 rows is one row; its copies in the other layers tie with it and go too
    assert ManuReleased(prune_ratio=10).select(statistics(FORGET, ONES)).pruned == 3
    assert set(ManuReleased(prune_ratio=25, layers=1).select(statistics(FORGET, ONES)).masks) == {"language.up.4"}


def test_last_layers_counts_each_part_from_its_own_end():
    language = [f"language.{kind}.{i}" for i in range(5) for kind in ("up", "down")]
    vision = [f"vision.fc1.{i}" for i in range(2)]
    sites = dict.fromkeys(language + vision, 1)
    assert last_layers(sites, "vision", 3) == vision
    assert last_layers(sites, "language", 2) == language[-4:]


def batches():
    return {
        (data_set, modality): [
            make_batch(3, 4 + seed, pixels=modality == "multimodal", seed=seed + offset, padding=1) for seed in range(2)
        ]
        for offset, data_set in enumerate(("forget", "retain"))
        for modality in ("multimodal", "text")
    }


def test_measuring_equals_the_whole_array():
    torch.manual_seed(0)
    model = TinyModel()
    sites = model.linear_sites()
    measured = measure(ReleasedStatistics.at(sites), model, sites, batches())
    assert len(measured.tensors) == 2 * 5 * 4  # sets, groups, metrics

    deviations = []  # language.gate on the forget text batches: layers concatenated as the released code does
    for batch in batches()["forget", "text"]:
        heard = []
        gates = [site for site in model.linear_sites() if site.kind == "gate"]
        with torch.no_grad(), record_activations(gates, lambda site, a, heard=heard: heard.append(a)):
            model(batch["input_ids"], batch["attention_mask"])
        deviations.append(torch.cat(heard).double().clamp(-1e3, 1e3).std(0))
    torch.testing.assert_close(measured.value("forget", "language.gate", "var"), torch.cat(deviations).mean(0))


def test_measuring_stops_when_a_part_is_not_reached():
    model = TinyModel()
    sites = model.linear_sites()
    only_text = {key: group for key, group in batches().items() if key[1] == "text"}
    with pytest.raises(ValueError, match="no sample of the forget set passed through vision.fc1"):
        measure(ReleasedStatistics.at(sites), model, sites, only_text)


def test_save_and_load(tmp_path):
    path = tmp_path / "released.safetensors"
    saved = statistics(FORGET, ONES)
    saved.save(path)
    loaded = ReleasedStatistics.load(path)
    assert loaded.widths == saved.widths
    assert all(torch.equal(loaded.tensors[key], value) for key, value in saved.tensors.items())

    tensors, metadata = load_tensors(path, "released statistics")
    del tensors["retain/language.up/rms"]
    save_tensors(path, tensors, metadata)
    with pytest.raises(UserError, match="misses 1 of 8 tensors, first 'retain/language.up/rms'"):
        ReleasedStatistics.load(path)
