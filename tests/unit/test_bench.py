"""Benchmarks compare equal work, their ratios are right, their tables are well formed. No test asserts a time."""

import json
import time
from functools import partial

import pandas as pd
import pytest
import torch

from benchmarks import growth, selection, statistics, training, workflow
from benchmarks.__main__ import QUESTIONS, answer_question, main
from benchmarks.clock import compared, side_by_side
from benchmarks.memory import cost_of
from benchmarks.peers import stored_modality, stored_released
from benchmarks.sizes import TINY
from benchmarks.subject import BATCH, measuring_batches, new_model
from benchmarks.tables import Table, markdown
from manu.neurons.measuring import measure
from manu.neurons.statistics.modality import ModalityStatistics, Sums
from manu.neurons.statistics.released import ReleasedStatistics


def test_ratios_are_to_the_first_side_of_the_same_round():
    found = compared({"one": [1.0, 2.0, 4.0], "other": [2.0, 2.0, 2.0]}, {"other": 1.5}).set_index("side")
    assert found.loc["one", ["ratio_min", "ratio_median", "ratio_max"]].tolist() == [1, 1, 1]
    assert found.loc["other", ["ratio_min", "ratio_median", "ratio_max"]].tolist() == [0.5, 1, 2]
    assert found.loc["other", ["seconds_min", "seconds_median", "seconds_max"]].tolist() == [2, 2, 2]
    assert found["target"].tolist()[1] == 1.5 and pd.isna(found["target"].iloc[0])


def test_sides_take_turns_to_begin():
    calls = []
    side_by_side({name: partial(calls.append, name) for name in "ab"}, repeats=2)
    assert calls == ["a", "b", "a", "b", "b", "a"]  # the first round does not count


@pytest.mark.parametrize("loop", [False, True])
def test_the_peers_way_gives_the_same_statistics(vlm, benchmark_folder, loop):
    vlm.model.eval()
    batches = {key: list(group) for key, group in measuring_batches(vlm, benchmark_folder, 5).items()}
    assert {sum(len(b["input_ids"]) for b in group) for group in batches.values()} == {5}
    mlps, linears = vlm.mlp_sites(), vlm.linear_sites()
    ours = measure(ModalityStatistics.at(mlps, tau=0.1), vlm.model, mlps, batches, vision_mask=vlm.vision_mask)
    theirs = stored_modality(vlm.model, mlps, batches, 0.1, vlm.vision_mask, loop)
    assert ("forget", "text", "mean", "language.0") in theirs and ("forget", "text", "mean", "vision.0") not in theirs
    for key, sums in theirs.items():
        assert sums.count == ours.sums(*key).count == 5
        for name in Sums.TENSORS:
            torch.testing.assert_close(getattr(sums, name), getattr(ours.sums(*key), name))
    released = measure(ReleasedStatistics.at(linears), vlm.model, linears, batches).tensors
    stored = {"/".join(key): values for key, values in stored_released(vlm.model, linears, batches, loop).items()}
    assert stored.keys() == released.keys()
    for key, values in stored.items():
        torch.testing.assert_close(values, released[key])


def test_batches_hold_as_many_samples_as_asked_for(benchmark_folder):
    vlm = new_model(benchmark_folder, text_layers=1, vision_layers=1)
    groups = measuring_batches(vlm, benchmark_folder, BATCH + 6)
    sizes = {key: [len(batch["input_ids"]) for batch in group] for key, group in groups.items()}
    assert len(sizes) == 4 and all(sum(each) == BATCH + 6 and max(each) <= BATCH for each in sizes.values())


def sixteen_megabytes():
    return partial(torch.ones, 2**22)


def test_memory_is_that_of_the_work_alone():
    cost = cost_of(sixteen_megabytes)
    assert 2**24 <= cost.extra_bytes < 2**26 and cost.peak_bytes > cost.extra_bytes and cost.seconds > 0


def test_a_stopwatch_counts_what_is_inside_for_itself():
    watch = training.Stopwatch()
    inner = watch.watched("inner", partial(time.sleep, 0.02))
    with watch.watch("outer"):
        inner()
        inner()
    assert watch.seconds["inner"] >= 0.04 and 0 <= watch.seconds["outer"] < watch.seconds["inner"]


def test_the_exponent_is_the_slope_of_the_logarithms():
    size = pd.Series([1.0, 2.0, 4.0])
    assert growth.exponent(size, 3 * size**2) == pytest.approx(2)
    assert growth.exponent(size, pd.Series([5.0, 5.0, 5.0])) == pytest.approx(0, abs=1e-12)
    assert pd.isna(growth.exponent(size, pd.Series([0.0, 1.0, 2.0])))


def test_markdown_aligns_numbers_and_leaves_gaps():
    table = Table("t", "What it says.", pd.DataFrame({"side": ["a|b"], "seconds": [0.12345], "target": [float("nan")]}))
    assert (
        markdown(table) == "What it says.\n\n| side | seconds | target |\n| --- | ---: | ---: |\n| a\\|b | 0.123 |  |\n"
    )


def test_every_neuron_of_llava_7b_is_chosen_from_by_every_variant():
    assert sum(selection.widths().values()) == 450_560
    assert "samples128" in selection.variants() and len(selection.variants()) == 30
    assert selection.variant_statistics({"language.0": 3}).milestones == (8, 32, 128)


def test_every_stage_is_started():
    names = workflow.stage_names()
    assert {"evaluate", "train", "draw"} < set(names) and not {"command", "device", "launch", "models"} & set(names)


COLUMNS = {
    "statistics": {
        "time": {"kind", "side", "seconds_median", "ratio_median", "target"},
        "memory": {"kind", "side", "samples", "peak_mb", "peak_ratio"},
    },
    "selection": {
        "functions": {"side", "seconds_median", "ratio_median"},
        "variants": {"side", "seconds_median", "target_seconds"},
        "memory": {"neurons", "extra_mb", "peak_mb", "target_mb"},
    },
    "evaluation": {
        "speed": {"protocol", "side", "times_as_many", "different_replies", "target"},
        "differences": {"protocol", "question_id", "alone", "batched"},
    },
    "workflow": {
        "rerun": {"study", "seconds_median"},
        "start": {"side", "seconds_median", "heaviest"},
        "fork": {"side", "seconds_median", "target_seconds"},
    },
    "training": {"profile": {"model", "part", "share", "seconds_per_epoch"}},
    "growth": {"growth": {"quantity", "work", "size", "seconds", "seconds_exponent", "extra_exponent"}},
    "coverage": {
        "summary": {"quantity", "people", "interval", "lowest_coverage", "mean_coverage", "cells_at_93", "mean_width"},
        "means": {"kind", "people", "rate", "correlation", "interval", "coverage", "width", "samples"},
        "composites": {"quantity", "people", "method", "interval", "coverage", "width", "samples"},
    },
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_is_answered_with_well_formed_tables(question, tmp_path):
    answer_question(question, TINY, tmp_path)
    folder = tmp_path / question
    about = json.loads((folder / "run.json").read_text())
    assert (
        about["question"]
        and about["sizes"]["people"] == 20
        and about["device"]["processor"]
        and about["packages"]["torch"]
    )
    for name, columns in COLUMNS[question].items():
        table = pd.read_csv(folder / f"{name}.csv")
        assert columns <= set(table.columns)
        lines = (folder / f"{name}.md").read_text().splitlines()
        assert len(lines) == len(table) + 4 and lines[2].count("|") == len(table.columns) + 1
    if question == "growth":
        assert (folder / "growth.png").stat().st_size and (folder / "growth.svg").stat().st_size
    if question == "evaluation":
        assert (pd.read_csv(folder / "speed.csv")["different_replies"] == 0).all()
    if question == "statistics":
        time_of = pd.read_csv(folder / "time.csv")
        assert set(time_of["kind"]) == set(statistics.KINDS) and (time_of["seconds_min"] > 0).all()


def test_an_unknown_question_is_an_error_that_lists_the_known(capsys):
    assert main(["--only", "speed"]) == 2
    assert capsys.readouterr().err == f"error: --only: unknown question 'speed'; known: {', '.join(QUESTIONS)}\n"
