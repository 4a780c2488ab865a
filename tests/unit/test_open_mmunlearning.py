"""Open-MMUnlearning's measures against its published formulas, computed here with numpy and scipy alone, and its
composite against its own published tables."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp
from test_comparison import REPORTED

from manu.analysis import open_mmunlearning as published
from manu.analysis.open_mmunlearning import Sample

LOSSES = np.array([[0.2, 0.6, 1.0, 2.0, 3.0], [1.5, 2.5, 1.0, 1.0, 1.0]])  # reference, paraphrase, three false answers


def drawn(values, weights) -> np.ndarray:
    """The values as often as they are drawn."""
    return np.repeat(values, weights.astype(int))


def published_js(one, other) -> float:
    """Histograms of 50 bins over the common range, 1e-12 added to each; Jensen-Shannon distance in nats."""
    low, high = min(one.min(), other.min()), max(one.max(), other.max())
    edges = np.linspace(low, high if high > low else low + 1e-8, 51)
    counts = [np.histogram(each, bins=edges)[0] + 1e-12 for each in (one, other)]
    return jensenshannon(counts[0] / counts[0].sum(), counts[1] / counts[1].sum())


def test_answer_probability_is_the_exponential_of_minus_the_mean_loss():
    assert published.answer_probabilities(LOSSES).tolist() == pytest.approx([math.exp(-0.2), math.exp(-1.5)])


def test_truth_ratio_averages_the_losses_of_both_true_answers_and_of_the_false_ones():
    assert published.truth_ratios(LOSSES).tolist() == pytest.approx([math.exp(0.4 - 2.0), math.exp(2.0 - 1.0)])


def test_a_truth_ratio_is_a_geometric_mean_of_the_false_answers():
    losses = np.array([[1.0, 1.0, 2.0, 4.0]])
    false = math.sqrt(math.exp(-2.0) * math.exp(-4.0))
    assert published.truth_ratios(losses)[0] == pytest.approx(false / math.exp(-1.0))


def test_the_two_transforms_of_a_truth_ratio():
    ratios = np.array([0.0, 0.25, 1.0, 4.0, np.inf])
    assert published.indifference(ratios).tolist() == [0.0, 0.25, 1.0, 0.25, 0.0]
    assert published.truthfulness(ratios).tolist() == [1.0, 0.75, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("seed", range(5))
def test_ks_and_js_of_every_draw_are_those_of_the_values_drawn(seed):
    rng = np.random.default_rng(seed)
    one, other = np.round(np.exp(rng.normal(size=14)), 1), np.round(np.exp(rng.normal(0.5, size=30)), 1)  # with ties
    weights = [np.vstack([np.ones(n), rng.multinomial(n, [1 / n] * n, size=40)]) for n in (14, 30)]
    ks = published.ks_statistics(Sample(one, weights[0]), Sample(other, weights[1]))
    js = published.js_distances(Sample(one, weights[0]), Sample(other, weights[1]))
    for draw in range(41):
        mine, theirs = drawn(one, weights[0][draw]), drawn(other, weights[1][draw])
        assert ks[draw] == pytest.approx(ks_2samp(mine, theirs).statistic, abs=1e-12)
        assert js[draw] == pytest.approx(published_js(mine, theirs), abs=1e-9)


def test_js_is_in_nats_and_at_most_the_root_of_ln_2():
    apart = published.js_distances(Sample(np.zeros(3), np.ones((1, 3))), Sample(np.ones(4), np.ones((1, 4))))
    assert apart[0] == pytest.approx(math.sqrt(math.log(2)), abs=1e-6)
    equal = Sample(np.full(3, 0.7), np.ones((1, 3)))
    assert published.js_distances(equal, equal)[0] == 0.0


def test_js_of_an_infinite_ratio_is_not_defined():
    endless = Sample(np.array([1.0, np.inf]), np.ones((2, 2)))
    assert np.isnan(published.js_distances(endless, endless)).all()
    assert (published.ks_statistics(endless, endless) == 0.0).all()


def test_forget_quality_is_the_composite_of_the_published_tables():
    """Their Tables 5 and 6 give every part, Table 2 the composite: twelve methods, to the third decimal."""
    rows = pd.read_csv(REPORTED, dtype={"value": float})
    rows = rows[rows["reported_in"].isin(["paper, Table 2", "paper, Table 5", "paper, Table 6"])]
    assert set(rows["source_paper"]) == {"Open-MMUnlearning (Chen 2026)"}
    checked = 0
    for _, cells in rows.groupby("method"):
        value = {(row.split, row.metric, row.task): row.value for row in cells.itertuples()}
        tasks = [
            published.task_forgetting(
                np.array(value[split, "accuracy_pct", "cloze"] / 100),
                np.array(value[split, "accuracy_pct", "classification"] / 100),
                np.array(value[split, "rouge_l", "generation"]),
            )
            for split in ("forget", "test")
        ]
        names = ("truth_ratio_norm", "answer_probability", "ks_stat", "js_distance")
        parts = [np.array(value["forget", name, "likelihood"]) for name in names]
        composite = float(published.forget_quality(*tasks, *parts))
        assert composite == pytest.approx(value["all", "forget_quality", "aggregate"], abs=1.1e-3)
        checked += 1
    assert checked == 12
