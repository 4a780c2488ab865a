"""Pruned and kept neurons beside each other, by hand; and the list of neurons from real statistics."""

from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from manu.analysis.figures import pruned_activations
from manu.analysis.tables.activations import NEURON_COLUMNS, summary
from manu.neurons.masks import Mask, save_mask
from manu.neurons.pooling import pool_tokens
from manu.neurons.statistics.modality import ModalityStatistics
from manu.steps import list_activations

# site, index, pruned, magnitudes forget (picture, text), retain (picture, text), firing likewise
NEURONS = [
    ("language.0", 0, True, 0.4, 0.2, 0.1, 0.2, 0.5, 0.1, 0.01, 0.02),
    ("language.0", 1, True, 0.3, 0.3, 0.3, 0.1, 0.02, 0.01, 0.00, 0.04),
    ("language.0", 2, False, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0),
    ("vision.0", 0, False, 0.2, 0.0, 0.1, 0.0, 0.9, 0.0, 0.9, 0.0),
]


def neurons() -> pd.DataFrame:
    rows = [("m", "manu", 10, 0, site, site.split(".")[0], 0, *rest) for site, *rest in NEURONS]
    return pd.DataFrame(rows, columns=list(NEURON_COLUMNS))


def test_by_hand():
    table = summary(neurons()).set_index(["part", "group"])
    pruned = table.loc[("all", "pruned")]
    assert pruned["neurons"] == 2
    assert pruned["magnitude_forget"] == pytest.approx(0.35)  # larger modality: 0.4 and 0.3
    assert pruned["magnitude_retain"] == pytest.approx(0.25)  # 0.2 and 0.3
    assert pruned["forget_over_retain"] == pytest.approx(1.5)  # 2 and 1
    assert pruned["firing_forget"] == pytest.approx(0.26)
    assert pruned["silent_on_retain"] == 1.0  # 0.02 and 0.04, below 0.05
    assert pruned["silent_on_both"] == 0.5
    assert table.loc[("all", "kept"), "neurons"] == 2 and table.loc[("vision", "kept"), "neurons"] == 1
    assert ("vision", "pruned") not in table.index


def test_the_figure_shows_every_neuron():
    _, points = pruned_activations.draw(neurons(), ["manu"])
    assert points[["magnitude_forget", "magnitude_retain"]].values.tolist() == [
        [0.4, 0.2],
        [0.3, 0.3],
        [0.5, 0.5],
        [0.2, 0.1],
    ]


def test_the_stage_lists_every_candidate(tmp_path):
    statistics = ModalityStatistics.empty({"language.0": 2}, tau=0.1)
    for data_set, scale in (("forget", 1.0), ("retain", 2.0)):
        for modality in ("multimodal", "text"):
            z = torch.tensor([[[0.3, 0.0]], [[0.05, -0.4]]], dtype=torch.float64) * scale
            statistics.add_values(data_set, modality, "language.0", pool_tokens(z))
    statistics.save(tmp_path / "s.safetensors")
    mask = tmp_path / "llava/seed0/forget05/manu/mask.safetensors"
    save_mask(mask, Mask({"language.0": torch.tensor([True, False])}, "mlp_input"))
    options = SimpleNamespace(statistics=tmp_path / "s.safetensors", mask=mask, out=tmp_path / "a.csv")
    assert list_activations.main(options, {}).endswith("a.csv: 2 neurons, 1 pruned")
    table = pd.read_csv(tmp_path / "a.csv")
    assert table["pruned"].tolist() == [True, False]
    assert table["magnitude_forget_text"].tolist() == [0.175, 0.2]
    assert table["magnitude_retain_text"].tolist() == [0.35, 0.4]
    assert table["firing_forget_multimodal"].tolist() == [0.5, 0.5]
    assert table["firing_retain_multimodal"].tolist() == [0.5, 0.5]
