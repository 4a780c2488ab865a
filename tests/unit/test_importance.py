"""The published equations with numbers that a hand can check."""

import math

import pytest
import torch

from manu.neurons.importance import FUNCTIONS, i_abs, i_freq, i_rms, i_var, importance, score
from manu.neurons.pooling import pool_tokens
from manu.neurons.statistics.modality import ModalityStatistics, Sums


def sums(*samples: float, tau: float = 2.0) -> Sums:
    """The sums of one neuron over single-valued samples."""
    return Sums.of(torch.tensor(samples, dtype=torch.float64)[:, None], tau)


MULTI = sums(1, -3)  # mean magnitude 2, one over tau, energy 1 + 9 = 10
TEXT = sums(2, 2)  # mean magnitude 2, none over tau (2 is not over 2), energy 8


def test_i_abs():
    assert i_abs(sums(3, 5), sums(1, -1), eps=0).item() == 3 / 5  # |4 - 1| / (4 + 1)
    assert i_abs(MULTI, TEXT, eps=0).item() == 0.0  # magnitudes 2 and 2
    assert i_abs(sums(3), sums(1), eps=1).item() == 2 / 5


def test_i_freq():
    assert i_freq(sums(3, 3, 3, 1), sums(3, 1, 1, 1), eps=0).item() == 2 / 4  # |3 - 1| / (3 + 1)
    assert i_freq(MULTI, TEXT, eps=0).item() == 1.0  # |1 - 0| / (1 + 0)


def test_i_var_is_centred_on_the_mean_of_the_magnitude():
    # MULTI: centre 2, deviations 1 - 2 = -1 and -3 - 2 = -5, so (1 + 25) / 2 = 13. TEXT: 0.
    assert i_var(MULTI, TEXT).item() == math.sqrt(13)
    # centred on the signed mean -1 it would have been (4 + 4) / 2 = 4


def test_i_rms_compares_sums_not_means():
    assert i_rms(MULTI, TEXT, eps=0).item() == pytest.approx(math.sqrt(2 / 18))  # |10 - 8| / (10 + 8)
    # twice the text samples of the same kind: |10 - 16| / (10 + 16)
    assert i_rms(MULTI, sums(2, 2, 2, 2), eps=0).item() == pytest.approx(math.sqrt(6 / 26))


def test_a_neuron_that_never_fires_has_importance_zero():
    dead = sums(0, 0)
    assert [function(dead, dead, 1e-8).item() for function in FUNCTIONS.values()] == [0, 0, 0, 0]


def test_a_vision_neuron_on_text_leaves_the_variance_term_alone():
    vision, silent = sums(3, 4), sums(0, 0)
    constant = [FUNCTIONS[name](vision, silent, 1e-12).item() for name in ("abs", "freq", "rms")]
    assert constant == pytest.approx([1, 1, 1])
    assert i_var(vision, silent).item() == 0.5  # centre 3.5, deviations 0.5


def statistics_of(forget: tuple, retain: tuple) -> ModalityStatistics:
    """One site with one neuron; each argument is (multimodal samples, text samples)."""
    statistics = ModalityStatistics({"language.0": 1}, tau=2.0)
    for data_set, by_modality in (("forget", forget), ("retain", retain)):
        for modality, samples in zip(("multimodal", "text"), by_modality, strict=True):
            statistics.add_values(data_set, modality, "language.0", pool_tokens(torch.tensor(samples)[:, None, None]))
    return statistics


def test_importance_is_the_sum_of_the_functions_and_score_their_ratio():
    statistics = statistics_of(([1.0, -3.0], [2.0, 2.0]), ([3.0, 5.0], [1.0, -1.0]))
    forget = importance(statistics, "forget", pooling="last", eps=1e-12)
    # abs 0 + freq 1 + var sqrt(13) + rms sqrt(2 / 18)
    assert forget["language.0"].item() == pytest.approx(1 + math.sqrt(13) + 1 / 3)
    retain = importance(statistics, "retain", pooling="last", eps=1e-12)
    # abs 3/5; freq |2 - 0| / 2 = 1; var: multi centre 4, (1 + 1) / 2 = 1; text centre 1, (0 + 4) / 2 = 2;
    # rms |34 - 2| / 36
    assert retain["language.0"].item() == pytest.approx(0.6 + 1 + math.sqrt(3) + math.sqrt(32 / 36))
    assert importance(statistics, "retain", ("abs",), "last", 1e-12)["language.0"].item() == pytest.approx(0.6)
    ratio = score(forget, retain, eps=0)["language.0"].item()
    assert ratio == pytest.approx((4 / 3 + math.sqrt(13)) / (1.6 + math.sqrt(3) + math.sqrt(32 / 36)))


def test_pooling_matters_for_signed_values():
    statistics = statistics_of(([1.0, -3.0], [2.0, 2.0]), ([1.0], [1.0]))
    by_mean = importance(statistics, "forget", ("var",), "mean")["language.0"].item()
    assert by_mean == 1.0  # magnitudes 1 and 3 around 2
    assert importance(statistics, "forget", ("var",), "last")["language.0"].item() == math.sqrt(13)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_stop(bad):
    statistics = statistics_of(([1.0], [1.0]), ([1.0], [1.0]))
    statistics.sums("forget", "multimodal", "mean", "language.0").sum_sq.fill_(bad)  # as a damaged file might hold
    with pytest.raises(ValueError, match="1 of 1 neurons of language.0 are not finite, first neuron 0"):
        importance(statistics, "forget", ("freq",))  # even where the function itself would hide it
    with pytest.raises(ValueError, match="score: 1 of 2 neurons of vision.0"):
        score({"vision.0": torch.tensor([1.0, bad])}, {"vision.0": torch.ones(2)})


def test_rounding_below_zero_does_not_become_nan():
    statistics = statistics_of(([0.1] * 7, [0.1] * 7), ([0.1] * 7, [0.1] * 7))
    assert importance(statistics, "forget", ("var",))["language.0"].item() == pytest.approx(0, abs=1e-7)
