"""The top percent: counts, scopes and ties."""

from types import SimpleNamespace

import pytest
import torch

from manu.core.errors import UserError
from manu.core.words import MODALITIES, SETS
from manu.neurons.pooling import pool_tokens
from manu.neurons.selection import random_selection, select_top
from manu.neurons.statistics.modality import ModalityStatistics
from manu.neurons.statistics.released import ReleasedStatistics
from manu.unlearning.manu import Manu
from manu.unlearning.manu_released import ManuReleased
from manu.unlearning.pruning import selected, stability


def scores(**by_site: list[float]) -> dict[str, torch.Tensor]:
    return {name.replace("_", "."): torch.tensor(values, dtype=torch.float64) for name, values in by_site.items()}


def pruned(selection) -> dict[str, list[int]]:
    return {site: mask.nonzero().flatten().tolist() for site, mask in selection.masks.items()}


def test_three_neurons_at_34_percent():
    selection = select_top(scores(language_0=[4, 1, 2]), 34)  # floor(0.34 * 3) = 1
    assert pruned(selection) == {"language.0": [0]}
    assert selection.ranks["language.0"].tolist() == [1, 3, 2]
    assert (selection.pruned, selection.total) == (1, 3)


@pytest.mark.parametrize(
    ("ratio", "units", "count"), [(10, 250, 25), (29, 100, 29), (0.29, 10000, 29), (57, 100, 57), (99, 3, 2)]
)
def test_the_count_is_exact(ratio, units, count):  # in floats 0.29 * 100 and 0.57 * 100 fall just short of 29 and 57
    assert select_top({"language.0": torch.rand(units)}, ratio).pruned == count


def test_rankings():
    by_site = scores(language_0=[9, 8], language_1=[7, 6], vision_0=[5, 4])
    assert pruned(select_top(by_site, 50, "global")) == {"language.0": [0, 1], "language.1": [0], "vision.0": []}
    assert pruned(select_top(by_site, 50, "part")) == {"language.0": [0, 1], "language.1": [], "vision.0": [0]}
    assert pruned(select_top(by_site, 50, "layer")) == {"language.0": [0], "language.1": [0], "vision.0": [0]}
    assert select_top(by_site, 50, "part").ranks["vision.0"].tolist() == [1, 2]


def test_ties_go_by_site_then_index():
    by_site = scores(language_1=[1, 1], language_0=[1, 2])
    assert pruned(select_top(by_site, 50)) == {"language.1": [0], "language.0": [1]}
    assert pruned(select_top(by_site, 75)) == {"language.1": [0, 1], "language.0": [1]}


def test_prune_ties_takes_all_that_equal_the_last():
    assert pruned(select_top(scores(vision_0=[3, 1, 1, 0]), 50, prune_ties=True)) == {"vision.0": [0, 1, 2]}
    assert pruned(select_top(scores(vision_0=[3, 1, 1, 0]), 50)) == {"vision.0": [0, 1]}


def test_a_ratio_below_one_unit_is_an_error_and_says_what_would_do():
    with pytest.raises(UserError, match="10 percent of 3 units .* less than one; needed: at least 33.34"):
        select_top(scores(language_0=[4, 1, 2]), 10)
    assert select_top(scores(language_0=[4, 1, 2]), 33.34).pruned == 1
    # one group that yields a unit is enough
    assert select_top(scores(language_0=[4, 1, 2], vision_0=[1] * 10), 10, "part").pruned == 1


def test_nan_stops():
    with pytest.raises(ValueError, match="not a number"):
        select_top(scores(language_0=[float("nan"), 1]), 50)


def statistics() -> ModalityStatistics:
    """Three language neurons that fire on text only, and one vision neuron, by hand."""
    result = ModalityStatistics({"language.0": 3, "vision.0": 1}, tau=0.1)
    for data_set in SETS:
        for modality in MODALITIES:
            # mean |z| on text: forget 4, 1, 2; retain 1, 1, 1; two samples spread around it
            level = torch.tensor([4.0, 1.0, 2.0]) if data_set == "forget" else torch.ones(3)
            if modality == "multimodal":
                level = torch.zeros(3)
            result.add_values(
                data_set, modality, "language.0", pool_tokens(torch.stack([level * 0.5, level * 1.5])[:, None])
            )
            if modality == "text":
                result.add_silent(data_set, modality, "vision.0", 2)
            else:
                result.add_values(data_set, modality, "vision.0", pool_tokens(torch.tensor([[[9.0]], [[1.0]]])))
    return result


def test_manu_prunes_by_the_ratio_of_importances():
    # I_var = spread of {0.5 x, 1.5 x} = 0.5 x: forget 2, 0.5, 1 against retain 0.5: ratios 4, 1, 2
    manu = Manu(prune_ratio=34, functions=("var",), parts=("language",))
    selection = manu.select(statistics())
    torch.testing.assert_close(selection.scores["language.0"], torch.tensor([4.0, 1.0, 2.0], dtype=torch.float64))
    assert pruned(selection) == {"language.0": [0]}
    assert selection.unit == "mlp_input"
    assert selection.importances["i_var_forget"]["language.0"].tolist() == [2.0, 0.5, 1.0]
    assert selection.importances["i_abs_retain"]["language.0"].tolist() == pytest.approx([1, 1, 1])


def test_manu_takes_vision_with_language_unless_told_otherwise():
    assert set(Manu(prune_ratio=50).select(statistics()).masks) == {"language.0", "vision.0"}
    assert set(Manu(prune_ratio=99, parts=("vision",), ranking="part").select(two_vision()).masks) == {"vision.0"}


def two_vision() -> ModalityStatistics:
    result = ModalityStatistics({"vision.0": 2}, tau=0.1)
    for data_set in SETS:
        result.add_values(data_set, "multimodal", "vision.0", pool_tokens(torch.rand(2, 1, 2)))
        result.add_silent(data_set, "text", "vision.0", 2)
    return result


def test_manu_warns_about_unequal_samples(caplog):
    uneven = two_vision()
    uneven.add_silent("retain", "text", "vision.0", 5)
    Manu(prune_ratio=50).select(uneven)
    assert "retain set: 2 multimodal but 7 text samples" in caplog.text


def test_random_neurons_are_seeded_and_nested():
    widths = {"language.0": 30, "vision.0": 20}
    ten, again, forty = (random_selection(widths, ratio, seed=1) for ratio in (10, 10, 40))
    assert (ten.pruned, forty.pruned) == (5, 20)
    assert pruned(ten) == pruned(again) != pruned(random_selection(widths, 10, seed=2))
    assert all(set(pruned(ten)[site]) <= set(pruned(forty)[site]) for site in widths)


def test_stability_is_what_the_masks_of_two_halves_share():
    """Four samples of two modalities at four neurons; the halves agree on one of the two that they prune."""
    result = ModalityStatistics.at([SimpleNamespace(name="language.0", width=4)], tau=0.1)
    forget = torch.tensor([[1.0, 9, 5, 1], [1.0, 9, 1, 5], [3.0, 3, 9, 3], [3.0, 3, 3, 9]])  # samples 0 and 2, 1 and 3
    for modality in MODALITIES:
        for data_set, z in (("forget", forget), ("retain", torch.tensor([[1.0] * 4, [1.0] * 4, [3.0] * 4, [3.0] * 4]))):
            result.add(data_set, modality, [{"language.0": pool_tokens(z[:, None])}], 4)
    manu = Manu(prune_ratio=50, functions=("var",))
    even, odd = (set(pruned(manu.select(half))["language.0"]) for half in result.halves())
    assert stability(manu, result) == 2 * len(even & odd) / 4
    assert (even, odd) == ({1, 2}, {1, 3})
    assert selected(manu, result)[1].stability == 0.5
    assert stability(ManuReleased(prune_ratio=50), ReleasedStatistics({"language.up.0": 4})) is None
