"""Figures drawn from tables of the study, by hand."""

import io

import matplotlib
import numpy as np
import pandas as pd
import pytest

from manu.analysis import attacks as robustness
from manu.analysis import claims, outcomes
from manu.analysis.cells import csv_text
from manu.analysis.figures import (
    ablation_selectivity,
    balance_heatmap,
    claims_overview,
    forgetting_cost,
    heat,
    paper_against_ours,
    pruned_activations,
    ratio_sweep,
    relearning,
    sequential_requests,
)
from manu.analysis.tables import ablation, comparison, costs, sequential
from manu.evaluation.vocabulary import MODALITIES

METHODS = ["ga", "manu"]
SPREAD = {  # what follows the columns where there are two seeds
    ablation_selectivity: ablation_selectivity.SPREAD,
    balance_heatmap: (balance_heatmap.SPREAD,),
    ratio_sweep: ratio_sweep.SPREAD,
}


def ablation_rows() -> pd.DataFrame:
    """Two seeds; (forget, retain) of each variant in the first, both 0.1 less in the second."""
    accuracies = {
        ("vanilla", 0): (0.9, 1.0),
        ("ratio02", 2): (0.9, 0.9),
        ("ratio30", 30): (0.5, 0.8),
        ("only_abs", 30): (0.6, 0.8),
        ("random", 30): (0.4, 0.4),
    }
    rows = []
    for seed in (0, 1):
        for (method, ratio), (known, kept) in accuracies.items():
            known, kept = known - 0.1 * seed, kept - 0.1 * seed
            for split, value in (("forget", known), ("retain", kept), (ablation.SELECTIVITY, kept - known)):
                rows.append(("llava", 10, seed, method, ratio, split, "text", value, 20, value - 0.05, value + 0.15))
    return pd.DataFrame(rows, columns=list(ablation.COLUMNS))


def outcome_rows() -> pd.DataFrame:
    """Two seeds; in the second, ga has no value by name; manu has none in either."""
    values = {
        ("ga", "multimodal"): (0.5, 0.75),
        ("ga", "text"): (1.25, np.nan),
        ("manu", "multimodal"): (-0.25, 0.25),
        ("manu", "text"): (np.nan, np.nan),
    }
    rows = [
        ("tiny", "llava", 5, seed, method, "forget", modality, "forgetting_success", "1", value, 8, value, value, True)
        for (method, modality), both in values.items()
        for seed, value in enumerate(both)
    ]
    rows.append(("tiny", "llava", 5, 0, "ga", "forget", "both", "forgetting_success", "1", 0.1, 8, 0.1, 0.1, True))
    rows.append(("tiny", "llava", 5, 0, "ga", "forget", "text", "truth_ratio", "1", 0.1, 8, 0.1, 0.1, True))
    return pd.DataFrame(rows, columns=list(outcomes.COLUMNS))


def cost_rows() -> pd.DataFrame:
    """Two ratios, the second twice as slow and 0.25 more successful; manu has no value by name in either."""
    values = {"retain_only": (64.0, 1.0, 1.0), "ga": (2.0, 0.5, 0.25), "manu": (4.0, 0.0, np.nan)}
    rows = []
    for times, ratio in enumerate((5, 10), start=1):
        for method, (seconds, *successes) in values.items():
            row = {"study": "tiny", "model": "llava", "forget_ratio": ratio, "seed": 0, "method": method, "jobs": "job"}
            row |= {"seconds": seconds * times, "peak_memory_bytes": 8, "balanced_forgetting": 0.5, "retention": 0.5}
            for modality, success in zip(MODALITIES, successes, strict=True):
                value = success + 0.25 * (times - 1) * (method != "retain_only")
                row |= {f"{modality}_forgetting_success": value, f"{modality}_ci_low": value - 0.125}
                row |= {f"{modality}_ci_high": value + 0.125, f"{modality}_n": 8}
            rows.append(row)
    return pd.DataFrame(rows, columns=list(costs.COLUMNS))


def robustness_rows() -> pd.DataFrame:
    """Two seeds; ga comes back by 0.25 per step that is looked at, retain_only never knows; and another attack."""
    rows = []
    for seed in (0, 1):
        for method, gain in (("retain_only", 0.0), ("ga", 0.25)):
            keys = ("llava", 10, seed, method, "relearning")
            for times, steps in enumerate((0, 5, 60)):
                value = 0.25 + gain * times + 0.25 * seed * gain
                where = (f"retain lessons, {steps} steps", "forget", "text", "accuracy")
                rows.append((*keys, *where, value, 8, value - 0.125, value + 0.125))
            rows.append((*keys, "all", "forget", "both", "resistance", 0.5, 8, 0.5, 0.5))
            rows.append((*keys[:-1], "rounding", "4 bits", "forget", "text", "accuracy", 0.5, 8, 0.5, 0.5))
    return pd.DataFrame(rows, columns=list(robustness.COLUMNS))


def sequential_rows() -> pd.DataFrame:
    """Two seeds, two requests; ga comes back a little, manu loses retain people; and what the figure leaves out."""
    reached = {
        "ga": {"requested": (0.0, 0.25, 0.125), "retain": (1.0, 1.0, 1.0)},
        "manu": {"requested": (0.5, 0.5, 0.5), "retain": (0.75, 0.5, 0.75)},
    }  # method -> group -> after the first and the second request, and at once
    steps = ((sequential.IN_TURN, 5), (sequential.IN_TURN, 10), (sequential.AT_ONCE, 10))
    rows = []
    for seed in (0, 1):
        for method, groups in reached.items():
            for group, values in groups.items():
                for (order, after), value in zip(steps, values, strict=True):
                    cell = (order, after, group, "text", "accuracy", value, 8, value - 0.125, value + 0.125)
                    rows.append(("llava", seed, method, *cell))
            cell = (sequential.IN_TURN, 10, "just requested", "text", "accuracy", 0.5, 8, 0.5, 0.5)
            rows.append(("llava", seed, method, *cell))
            cell = (sequential.DIFFERENCE, 10, "requested", "text", "difference", 0.5, 8, 0.5, 0.5)
            rows.append(("llava", seed, method, *cell))
    return pd.DataFrame(rows, columns=list(sequential.COLUMNS))


def claim_rows() -> pd.DataFrame:
    kept = ("kept", "MANU keeps what it should keep, and says so in a sentence too long for a line.", "paper")
    forgets = ("forgets", "MANU forgets.", "paper")
    missing = (np.nan, np.nan, np.nan)
    rows = [
        (*forgets, "llava", "manu", "m", 0.5, 0.75, 0.625, 0.875, 3, 1, claims.REPRODUCED, "r"),
        (*forgets, "llava", "vanilla", "m", 0.5, 0.0, 0.0, 0.0, 3, 1, claims.NOT_REPRODUCED, "r"),
        (*kept, "llava", "manu", "m", 0.984, *missing, 3, 1, claims.INCONCLUSIVE, "r"),
        (*forgets, "all architectures", "manu", "m", 0.5, *missing, 3, 1, claims.REPRODUCED, "r"),
        (*forgets, "all architectures", "vanilla", "m", 0.5, *missing, 3, 1, claims.NOT_REPRODUCED, "r"),
        (*kept, "all architectures", "manu", "m", 0.984, *missing, 3, 1, claims.INCONCLUSIVE, "r"),
    ]
    return pd.DataFrame(rows, columns=list(claims.COLUMNS))


def comparison_rows() -> pd.DataFrame:
    """As the stage makes it, all text: three accuracies of ours, one of another table, one that was not run."""

    def row(paper, method, split, task, metric, value, **ours) -> dict:
        reported = (paper, "Table 1", "primary", "LLaVA-1.5-7B", "MLLMU-Bench", "5%", method, split, "text", task)
        empty = dict.fromkeys(comparison.COLUMNS, "")
        reported += (metric, value, "down", "")
        return empty | dict(zip(comparison.REPORTED_COLUMNS, reported, strict=True)) | ours

    def ours(method, split, value, file="scores.csv", status=comparison.NOT_COMPARABLE) -> dict:
        named = {"our_model": "llava", "our_method": method, "our_forget_ratio": "5", "our_split": split}
        return named | {"our_file": file, "our_value": value, "difference": "1.5", "status": status}

    rows = [
        row(
            "A", "MANU", "real_celebrity", "classification", "accuracy_pct", "60.5", **ours("manu", "celebrity", "62.0")
        ),
        row("A", "MANU", "forget", "cloze", "accuracy_pct", "38.5", **ours("manu", "forget", "40.0")),
        row("B", "Vanilla", "forget", "cloze", "accuracy_pct", "98.5", **ours("vanilla", "forget", "100.0")),
        row("B", "MANU", "forget", "outcome", "js_distance", "0.5", **ours("manu", "forget", "0.4", "outcomes.csv")),
        row("B", "GA", "forget", "cloze", "accuracy_pct", "12.0", status=comparison.NOT_RUN),
    ]
    return pd.DataFrame(rows, columns=list(comparison.COLUMNS))


def table(module) -> pd.DataFrame:
    """The figure's table as the stage draw reads it."""
    make = {
        "ablation": ablation_rows,
        "outcomes": outcome_rows,
        "claims": claim_rows,
        "comparison": comparison_rows,
        "costs": cost_rows,
        "robustness": robustness_rows,
        "sequential": sequential_rows,
    }
    text = csv_text(make[module.NEEDS]())
    return pd.read_csv(io.StringIO(text))


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def marked(axes, *markers: str) -> list:
    """The lines with one of the markers, without the small marks of single seeds."""
    return [line for line in axes.lines if line.get_marker() in markers and line.get_markersize() > 4]


def test_ratio_sweep_draws_vanilla_and_the_ratios():
    figure, frame = ratio_sweep.draw(table(ratio_sweep), METHODS)
    assert frame[["split", "method", "prune_ratio", "seeds", "n"]].values.tolist() == [
        [split, method, ratio, 2, 40]
        for split in ("forget", "retain")
        for method, ratio in (("vanilla", 0), ("ratio02", 2), ("ratio30", 30))
    ]
    assert frame["accuracy"].tolist() == pytest.approx([85, 85, 45, 95, 85, 75])
    assert (frame["accuracy"] - frame["ci_low"]).tolist() == pytest.approx([5] * 6)
    assert (frame["ci_high"] - frame["accuracy"]).tolist() == pytest.approx([15] * 6)
    (axes,) = figure.axes
    drawn = [list(line.get_ydata()) for line in marked(axes, "o", "s")]
    assert drawn == [frame["accuracy"].tolist()[:3], frame["accuracy"].tolist()[3:]]
    others = ablation_rows()[lambda rows: ~rows["method"].str.startswith("ratio")]
    assert ratio_sweep.draw(others, METHODS)[1].empty  # vanilla alone varies nothing


def test_ablation_selectivity_draws_every_variant_and_vanilla_as_a_line():
    figure, frame = ablation_selectivity.draw(table(ablation_selectivity), METHODS)
    assert frame[["method", "prune_ratio", "seeds", "n"]].values.tolist() == [
        ["vanilla", 0, 2, 40],
        ["ratio02", 2, 2, 40],
        ["ratio30", 30, 2, 40],
        ["only_abs", 30, 2, 40],
        ["random", 30, 2, 40],
    ]
    assert frame["selectivity_points"].tolist() == pytest.approx([10, 0, 30, 20, 0], abs=1e-6)
    assert frame["ci_low"].tolist() == pytest.approx([5, -5, 25, 15, -5], abs=1e-6)
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["ratio02 (2 %)", "ratio30", "only_abs", "random"]
    dots = [float(line.get_xdata()[0]) for line in marked(axes, "o")]
    assert dots == frame["selectivity_points"].tolist()[1:]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"] == pytest.approx([10])
    vanilla = ablation_rows()[lambda rows: rows["method"] == "vanilla"]
    assert ablation_selectivity.draw(vanilla, METHODS)[1].empty


def test_balance_heatmap_shows_what_is_not_defined():
    figure, frame = balance_heatmap.draw(table(balance_heatmap), METHODS)
    assert frame[["method", "modality", "seeds", "n"]].values.tolist() == [
        ["ga", "multimodal", 2, 16],
        ["ga", "text", 1, 8],
        ["manu", "multimodal", 2, 16],
        ["manu", "text", 0, 0],
    ]
    assert frame["forgetting_success_percent"].tolist() == pytest.approx([62.5, 125.0, 0.0, np.nan], nan_ok=True)
    axes = figure.axes[0]
    assert texts(axes) == ["62 ± 18", "125", "0 ± 35", "n/d", "forget 5 %"]
    darkest = matplotlib.colormaps[heat.TWO_SIDED](1.0)
    assert axes.patches[1].get_facecolor() == darkest  # cut at 100
    assert [bool(patch.get_hatch()) for patch in axes.patches] == [False, False, False, True]
    with pytest.raises(ValueError, match="manu"):
        balance_heatmap.draw(outcome_rows(), ["ga"])


def test_a_success_below_zero_has_another_colour_than_zero():
    outcomes = table(balance_heatmap)
    figure, frame = balance_heatmap.draw(outcomes.assign(value=-outcomes["value"]), METHODS)
    assert frame["forgetting_success_percent"].tolist()[:3] == pytest.approx([-62.5, -125.0, 0.0])
    assert len({patch.get_facecolor() for patch in figure.axes[0].patches[:3]}) == 3


def test_neurons_within_a_decade_have_few_labels_that_keep_apart():
    magnitudes = {f"magnitude_{s}_{m}": [0.02, 0.15] for s in ("forget", "retain") for m in ("multimodal", "text")}
    keys = {"model": "idefics2", "method": "manu", "forget_ratio": 10, "seed": 0, "site": "vision.0", "part": "vision"}
    neurons = pd.DataFrame(magnitudes).assign(**keys, layer=0, index=[0, 1], pruned=[True, False])
    axes = pruned_activations.draw(neurons, ["manu"])[0].axes[0]
    low, high = axes.get_xlim()
    shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert [axes.xaxis.get_major_formatter()(tick) for tick in shown] == ["0.02", "0.05", "0.1"]
    assert not any(label.get_text() for label in axes.get_xticklabels(minor=True))


def test_forgetting_cost_draws_means_of_runs():
    figure, frame = forgetting_cost.draw(table(forgetting_cost), METHODS)
    numbers = ["modality", "method", "runs", "seconds", "forgetting_success_percent", "ci_low", "ci_high", "n"]
    assert frame[numbers].values.tolist() == [
        ["multimodal", "retain_only", 2, 96.0, 100.0, 87.5, 112.5, 16],
        ["multimodal", "ga", 2, 3.0, 62.5, 50.0, 75.0, 16],
        ["multimodal", "manu", 2, 6.0, 12.5, 0.0, 25.0, 16],
        ["text", "retain_only", 2, 96.0, 100.0, 87.5, 112.5, 16],
        ["text", "ga", 2, 3.0, 37.5, 25.0, 50.0, 16],
    ]
    picture = figure.axes[0]
    marks = [
        [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() != "None"] for axes in figure.axes
    ]
    assert marks == [[[96.0, 100.0], [3.0, 62.5], [6.0, 12.5]], [[96.0, 100.0], [3.0, 37.5]]]
    assert picture.get_xscale() == "log"
    dashed = [line.get_xdata()[0] for line in picture.lines if line.get_linestyle() == "--"]
    assert dashed == [96.0]
    with pytest.raises(ValueError, match="manu"):
        forgetting_cost.draw(cost_rows(), ["ga"])


def test_claims_overview_shows_each_verdict_with_its_value():
    figure, frame = claims_overview.draw(table(claims_overview), METHODS)
    assert frame[["claim", "method", "model", "verdict"]].values.tolist() == [
        ["forgets", "manu", "llava", "reproduced"],
        ["forgets", "manu", "all architectures", "reproduced"],
        ["forgets", "vanilla", "llava", "not reproduced"],
        ["forgets", "vanilla", "all architectures", "not reproduced"],
        ["kept", "manu", "llava", "inconclusive"],
        ["kept", "manu", "all architectures", "inconclusive"],
    ]
    assert frame.loc[0, ["value", "ci_low", "ci_high", "threshold"]].tolist() == [0.75, 0.625, 0.875, 0.5]
    subjects, controls = (texts(axes) for axes in figure.axes)
    symbol = {verdict: shown[0] for verdict, shown in claims_overview.VERDICTS.items()}
    expected = [symbol["reproduced"], "reproduced", "0.750", "[0.625, 0.875]", symbol["reproduced"], "reproduced"]
    assert subjects[:5] == ["manu", "llava", "all\narchitectures", "MANU forgets.", "holds above 0.5"]
    assert subjects[5:11] == expected and "holds above 0.984" in subjects
    assert "\n" in subjects[11] and subjects[-2:] == ["?", "inconclusive"]
    assert controls[0] == "vanilla" and "[0.000, 0.000]" in controls and "holds above 0.984" not in controls


@pytest.mark.parametrize("read", [True, False], ids=["numbers", "text"])
def test_paper_against_ours_draws_our_accuracies(read):
    figure, frame = paper_against_ours.draw(table(paper_against_ours) if read else comparison_rows(), METHODS)
    keys = ["source_paper", "our_method", "forget_ratio", "split", "task", "published", "ours", "difference"]
    assert frame[keys].values.tolist() == [
        ["B", "vanilla", 5, "forget", "cloze", 98.5, 100.0, 1.5],
        ["A", "manu", 5, "forget", "cloze", 38.5, 40.0, 1.5],
        ["A", "manu", 5, "celebrity", "classification", 60.5, 62.0, 1.5],
    ]
    assert set(frame["status"]) == {"not comparable at this scale"}
    assert [axes.get_title() for axes in figure.axes] == ["LLaVA-1.5-7B, forget", "LLaVA-1.5-7B, celebrity"]
    lines = [line for axes in figure.axes for line in axes.lines if line.get_linestyle() == "None"]
    drawn = [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines]
    assert drawn == list(zip(frame["published"], frame["ours"], strict=True))
    assert [line.get_markerfacecolor() == "none" for line in lines] == [True, True, False]


@pytest.mark.parametrize("module", SPREAD, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_spread_over_seeds_stands_only_where_there_are_several(module):
    both, one = table(module), table(module).query("seed == 0")
    assert tuple(module.draw(one, METHODS)[1].columns) == module.COLUMNS
    figure, frame = module.draw(both, METHODS)
    assert tuple(frame.columns) == (*module.COLUMNS, *SPREAD[module])
    shown = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert ("lowest and highest seed" in shown) is (module is not balance_heatmap)


def test_the_spread_by_hand():
    sweep = ratio_sweep.draw(table(ratio_sweep), METHODS)[1]
    assert (sweep["accuracy_highest"] - sweep["accuracy_lowest"]).tolist() == pytest.approx([10] * 6)
    cells = balance_heatmap.draw(table(balance_heatmap), METHODS)[1]
    spread = dict(zip(zip(cells["method"], cells["modality"], strict=True), cells[balance_heatmap.SPREAD], strict=True))
    assert spread["ga", "multimodal"] == pytest.approx(100 * 0.25 / 2**0.5)
    assert np.isnan(spread["ga", "text"])  # one seed has a value


def test_relearning_draws_a_curve_for_each_method():
    figure, frame = relearning.draw(table(relearning), METHODS)
    assert frame[["lessons", "method", "steps", "seeds", "n"]].values.tolist() == [
        ["retain", method, steps, 2, 16] for method in ("retain_only", "ga") for steps in (0, 5, 60)
    ]
    assert frame["accuracy"].tolist() == pytest.approx([25, 25, 25, 28.125, 53.125, 78.125])
    (axes,) = figure.axes
    assert axes.get_title() == "llava, text, trained on retain"
    drawn = [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 3]
    assert drawn == [frame["accuracy"].tolist()[:3], frame["accuracy"].tolist()[3:]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "5", "60"]
    with pytest.raises(ValueError, match="ga"):
        relearning.draw(robustness_rows(), ["manu"])


def test_relearning_shows_the_seven_that_forgot_most_and_tells_them_apart():
    methods = [f"method{place}" for place in range(12)]
    taught = robustness_rows()
    rows = taught[taught["method"] == "ga"]
    kept = {method: 0.01 * place for place, method in enumerate(reversed(methods))}  # the last one forgot most
    rows = pd.concat([rows.assign(method=method, value=value) for method, value in kept.items()])
    figure, frame = relearning.draw(rows, methods)
    assert set(frame["method"]) == set(methods[-7:])
    (axes,) = figure.axes
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines if len(line.get_xdata()) == 3}
    assert len(looks) == 7


def test_sequential_requests_draws_a_line_per_group_and_a_hollow_mark_at_once():
    figure, frame = sequential_requests.draw(table(sequential_requests), METHODS)
    assert frame[["group", "method", "order", "after", "seeds", "n"]].values.tolist() == [
        [group, method, order, after, 2, 16]
        for group in ("requested", "retain")
        for method in METHODS
        for order, after in (("in turn", 5), ("in turn", 10), ("at once", 10))
    ]
    assert frame["accuracy"].tolist() == pytest.approx([0, 25, 12.5, 50, 50, 50, 100, 100, 100, 75, 50, 75])
    (axes,) = figure.axes
    assert axes.get_title() == "llava, text" and axes.get_xticks().tolist() == [5, 10]
    drawn = {style: [list(x.get_ydata()) for x in axes.lines if x.get_linestyle() == style] for style in ("-", "--")}
    assert drawn == {"-": [[0, 25], [50, 50]], "--": [[100, 100], [75, 50]]}
    hollow = [line.get_ydata()[0] for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert hollow == [12.5, 50, 100, 75]
    with pytest.raises(ValueError, match="ga"):
        sequential_requests.draw(sequential_rows(), ["manu"])
