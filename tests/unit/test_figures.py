"""Figures: they show what their CSV says, and come out the same byte for byte."""

import argparse
from pathlib import Path

import made_rows
import numpy as np
import pandas as pd
import pytest
import torch

from manu.analysis.figures import forgets_and_keeps, modality_balance, pruned_by_function, pruned_per_layer, tradeoff
from manu.analysis.figures.registry import figure_module, known_figures
from manu.analysis.figures.style import method_mark, named, save
from manu.analysis.pruned import PRUNED_COLUMNS, keys_of, read_pruned
from manu.analysis.score_file import write_scores
from manu.core.errors import UserError
from manu.neurons.masks import Mask, save_mask
from manu.steps import draw

METHODS = ["ga", "manu"]


def scores() -> pd.DataFrame:
    values = {
        "vanilla": (1.0, 1.0, 0.9),
        "retain_only": (0.25, 0.3, 0.95),
        "ga": (0.25, 0.75, 0.5),
        "manu": (0.8, 0.7, 0.9),
    }
    return made_rows.scores(
        *(
            {"method": method, "split": split, "modality": modality, "value": value, "n": 20}
            | {"ci_low": max(value - 0.1, 0), "ci_high": min(value + 0.1, 1)}
            for method, (picture, text, kept) in values.items()
            for split, by_modality in (("forget", (picture, text)), ("retain", (kept, kept)))
            for modality, value in zip(("multimodal", "text"), by_modality, strict=True)
        )
    )


def pruned() -> pd.DataFrame:
    rows = [
        ("llava", "manu", 5, 0, "mlp_input", "vision.0", "vision", 0, 0, 8, 0.5),
        ("llava", "manu", 5, 0, "mlp_input", "language.0", "language", 0, 3, 12, 0.5),
        ("llava", "manu", 5, 1, "mlp_input", "vision.0", "vision", 0, 4, 8, 0.5),
        ("llava", "manu", 5, 1, "mlp_input", "language.0", "language", 0, 3, 12, 0.5),
    ]
    return pd.DataFrame(rows, columns=list(PRUNED_COLUMNS))


def by_function() -> pd.DataFrame:
    """One function alone and all of them; language comes first in a mask."""
    rows = [
        (model, name, 10, seed, "mlp_input", f"{part}.{layer}", part, layer, pruned + seed, width, 0.5, functions)
        for model in ("llava", "idefics2")
        for name, functions, counts in (("only_var", "var", (1, 2, 3)), ("whole", "abs var", (0, 10, 4)))
        for seed in (0, 1)
        for (part, layer, width), pruned in zip(
            (("language", 0, 10), ("language", 1, 20), ("vision", 0, 5)), counts, strict=True
        )
    ]
    return pd.DataFrame(rows, columns=[*PRUNED_COLUMNS, "functions"])


def options(figure: str, source: str, file: Path, prefix: Path) -> argparse.Namespace:
    """The options of the job that draws a figure from one file of a source."""
    written = [word for form in ("png", "svg", "csv") for word in (f"--{form}", str(prefix.with_suffix(f".{form}")))]
    return draw.parser().parse_args(["--figure", figure, "--source", source, str(file), *written])


def test_the_registry_lists_the_files_of_the_folder():
    assert {"modality_balance", "pruned_per_layer", "tradeoff"} <= set(known_figures())
    with pytest.raises(UserError, match="unknown figure 'tradoff'; known: .*pruned_per_layer, .*tradeoff"):
        figure_module("tradoff")


def test_tradeoff_draws_the_points_of_its_csv():
    figure, frame = tradeoff.draw(scores(), METHODS)
    ga = frame[(frame["method"] == "ga") & (frame["modality"] == "text")].iloc[0]
    assert (ga["forget_accuracy"], ga["forget_ci_low"], ga["forget_ci_high"]) == (75.0, 65.0, 85.0)
    assert (ga["retain_accuracy"], ga["retain_n"]) == (50.0, 20)
    assert frame["method"].tolist() == ["vanilla", "retain_only", "ga", "manu"] * 2
    drawn = {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() not in ("None", "", None)
    }
    assert drawn == set(zip(frame["forget_accuracy"], frame["retain_accuracy"], strict=True))


def test_tradeoff_shows_the_spread_of_several_seeds():
    again = scores().assign(seed=7, value=lambda frame: frame["value"] - 0.1)
    figure, frame = tradeoff.draw(pd.concat([scores(), again]), METHODS)
    assert list(frame.columns) == [*tradeoff.COLUMNS, *tradeoff.SPREAD]
    spread = frame["forget_highest"] - frame["forget_lowest"]
    assert np.allclose(spread, 10.0) and np.allclose(frame["forget_accuracy"], frame["forget_lowest"] + 5.0)
    assert "lowest to highest seed" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert tuple(tradeoff.draw(scores(), METHODS)[1].columns) == tradeoff.COLUMNS


def test_tradeoff_steps_through_the_methods_that_no_other_beats():
    figure, frame = tradeoff.draw(scores(), METHODS)
    assert frame["on_front"].tolist() == ["", "", "yes", "yes", "", "", "no", "yes"]  # by name manu beats ga
    steps = [line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post"]
    assert [line.get_xydata()[1:-1].tolist() for line in steps] == [[[25.0, 50.0], [80.0, 90.0]]]


def test_modality_balance_draws_the_pairs_of_its_csv():
    figure, frame = modality_balance.draw(scores(), METHODS)
    assert frame["method"].tolist() == ["vanilla", "retain_only", "ga", "manu"]
    assert frame["gap_points"].tolist() == pytest.approx([0.0, 5.0, 50.0, -10.0])
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["0", "+5", "+50", "\N{MINUS SIGN}10"]
    assert [label.get_text() for label in axes.get_yticklabels()] == frame["method"].tolist()
    circles = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "o"]
    assert circles == frame["multimodal_accuracy"].tolist()


def test_forgets_and_keeps_draws_the_worse_of_both_modalities():
    kept = made_rows.scores(
        *(
            {"method": method, "split": "celebrity", "modality": modality, "value": value, "n": 30}
            for method, values in {"ga": (0.9, 0.2), "manu": (0.95, 0.97)}.items()
            for modality, value in zip(("multimodal", "text"), values, strict=True)
        )
    )
    figure, frame = forgets_and_keeps.draw(pd.concat([scores(), kept]), METHODS)
    by_method = frame.set_index("method")
    assert by_method["forget"].to_dict() == pytest.approx({"vanilla": 100, "retain_only": 30, "ga": 75, "manu": 80})
    assert by_method["kept"].to_dict() == pytest.approx({"vanilla": 90, "retain_only": 95, "ga": 20, "manu": 90})
    lines = figure.axes[0].lines
    assert [float(line.get_xdata()[0]) for line in lines if line.get_marker() == "s"] == frame["forget"].tolist()
    assert [float(line.get_xdata()[0]) for line in lines if line.get_marker() == "o"] == frame["kept"].tolist()
    colours = [line.get_color() for line in lines if line.get_linewidth() == 4]
    assert [colour == "#0072b2" for colour in colours] == [False, True, False, True]  # blue: forgets more than it loses


def test_a_saved_figure_names_methods_and_models(tmp_path):
    figure, frame = modality_balance.draw(scores(), ["ga", "manu"])
    save(figure, frame, None, None, tmp_path / "numbers.csv")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "vanilla",
        "retain-only",
        "Gradient Ascent",
        "MANU",
    ]
    assert axes.get_title() == "LLaVA, forget 5 %"
    assert set(pd.read_csv(tmp_path / "numbers.csv")["method"]) == {"vanilla", "retain_only", "ga", "manu"}
    assert named("manu_gradient+recover, my_manu and gallery") == "MANU (brief), my_manu and gallery"


def test_pruned_per_layer_draws_the_bars_of_its_csv():
    figure, frame = pruned_per_layer.draw(pruned(), METHODS)
    assert frame[["site", "seeds", "pruned", "width", "pruned_percent"]].values.tolist() == [
        ["vision.0", 2, 2.0, 8, 25.0],
        ["language.0", 2, 3.0, 12, 25.0],
    ]
    axes = figure.axes[0]
    assert [bar.get_height() for bar in axes.patches] == frame["pruned_percent"].tolist()
    assert [text.get_text() for text in axes.texts] == ["2", "3"]


def test_pruned_by_function_shows_every_layer_of_every_variant():
    figure, frame = pruned_by_function.draw(by_function(), METHODS)
    llava = frame[frame["model"] == "llava"]
    assert llava[["functions", "site", "seeds", "pruned", "width", "pruned_percent"]].values.tolist() == [
        ["var", "vision.0", 2, 3.5, 5, 70.0],
        ["var", "language.0", 2, 1.5, 10, 15.0],
        ["var", "language.1", 2, 2.5, 20, 12.5],
        ["abs var", "vision.0", 2, 4.5, 5, 90.0],
        ["abs var", "language.0", 2, 0.5, 10, 5.0],
        ["abs var", "language.1", 2, 10.5, 20, 52.5],
    ]
    axes = figure.axes[1]  # llava follows idefics2
    assert [label.get_text() for label in axes.get_xticklabels()] == ["var", "all"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["vision 0", "language 0", "language 1"]
    assert [text.get_text() for text in axes.texts] == ["70", "15", "12", "90", "5", "52"]
    dark = [patch.get_facecolor()[0] for patch in axes.patches]
    assert dark.index(min(dark)) == 3


def test_methods_keep_their_marks_and_never_share_them():
    methods = [f"method{index}" for index in range(12)]
    marks = [method_mark(name, methods) for name in ["vanilla", "retain_only", *methods]]
    assert len(set(marks)) == len(marks)
    assert method_mark("ga", ["ga", "kl"]) == method_mark("ga", ["ga", "npo", "kl"])


def test_masks_are_counted_with_the_keys_of_their_path(tmp_path):
    path = tmp_path / "results" / "tiny" / "llava" / "seed3" / "forget05" / "manu" / "mask.safetensors"
    masks = {"vision.0": torch.tensor([False, False]), "language.1": torch.tensor([True, False, True])}
    save_mask(path, Mask(masks, "mlp_input", 0.0, 0.75))
    frame = read_pruned([path])
    assert frame.values.tolist() == [
        ["llava", "manu", 5, 3, "mlp_input", "vision.0", "vision", 0, 0, 2, 0.75],
        ["llava", "manu", 5, 3, "mlp_input", "language.1", "language", 1, 2, 3, 0.75],
    ]
    variant = Path("llava/seed0/forget05/ablation/only_abs/mask.safetensors")
    assert keys_of(variant) == {"model": "llava", "method": "only_abs", "forget_ratio": 5, "seed": 0}
    folder = "llava/seed0/forget05/manu"
    for wrong in ("mask.safetensors", f"{folder}/neurons.csv", f"{folder.replace('0', 'x')}/mask.safetensors"):
        with pytest.raises(UserError, match="has to end with <model>/seed<k>/forget<rr>/<method>/mask.safetensors"):
            keys_of(Path(wrong))

    args = options("pruned_per_layer", "masks", path, tmp_path / "pruned_per_layer")
    assert "2 rows of data" in draw.main(args, {"methods": {"manu": {}}})
    assert (tmp_path / "pruned_per_layer.png").exists()
    args = options("pruned_by_function", "variant_masks", path, tmp_path / "by_function")
    assert "2 rows of data" in draw.main(args, {"methods": {"manu": {}}, "variants": {"manu": ["abs"]}})
    assert pd.read_csv(tmp_path / "by_function.csv")["functions"].tolist() == ["abs", "abs"]


def test_the_stage_names_what_does_not_fit(tmp_path):
    args = options("tradeoff", "masks", tmp_path / "scores.csv", tmp_path / "tradeoff")
    with pytest.raises(UserError, match="the source 'scores' was not given, only: masks"):
        draw.main(args, {"methods": {"ga": {}}})
    write_scores(scores(), tmp_path / "scores.csv")
    args = options("tradeoff", "scores", tmp_path / "scores.csv", tmp_path / "tradeoff")
    with pytest.raises(UserError, match="unknown method 'manu'; the study lists: ga"):
        draw.main(args, {"methods": {"ga": {}}})
    draw.main(args, {"methods": dict.fromkeys(METHODS)})
    assert np.isclose(pd.read_csv(tmp_path / "tradeoff.csv")["retain_accuracy"].max(), 95.0)
