"""Growth of time and memory with people, neurons and samples: three sizes of each, with the fitted exponent."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from benchmarks.evaluation import questions
from benchmarks.memory import cost_of
from benchmarks.selection import made_up_statistics, pruning_method, widths
from benchmarks.sizes import Sizes
from benchmarks.statistics import MB, OURS, passes
from benchmarks.subject import make_benchmark, measuring_batches, new_model
from benchmarks.tables import Table
from manu.analysis.figures.style import GREY, legend_below, look, method_mark, new_figure
from manu.data.reading import read_names, read_training_data
from manu.evaluation.asking import AskingSettings, ask
from manu.models.loading import prepare_torch
from manu.models.registry import vlm_class
from manu.training.dataset import TrainingSet

PORTRAITS = 2  # per person, if the number of people grows
ARCHITECTURE = vlm_class("llava").architecture_class()


def generating(folder: Path, people: int) -> Callable[[], object]:
    """Work: make a benchmark with this many people."""
    return partial(make_benchmark, folder / f"again{people}", people, PORTRAITS)


def encoding(folder: Path, people: int) -> Callable[[], object]:
    """Work: read and encode the training data."""
    benchmark = folder / f"people{people}"
    vlm = new_model(benchmark)
    return lambda: TrainingSet(vlm).add(read_training_data(benchmark), read_names(benchmark))


def asking(folder: Path, people: int) -> Callable[[], object]:
    """Work: ask an untrained model one classification question per person, with the picture."""
    benchmark = folder / f"people{people}"
    vlm = new_model(benchmark)
    vlm.model.eval()
    asked = questions(benchmark, "likelihood", 5 * people)[: 5 * people : 5]
    return partial(ask, vlm, asked, AskingSettings())


def measuring(benchmark: Path, samples: int, factor: int = 1) -> Callable[[], object]:
    """Work: the statistics pass over `samples` samples per set and modality. factor: of the width of all MLPs."""
    mlps = {"text_mlp": factor * ARCHITECTURE.text_mlp, "vision_mlp": factor * ARCHITECTURE.vision_mlp}
    vlm = new_model(benchmark, **mlps)
    vlm.model.eval()
    return partial(passes(vlm, "modality")[OURS], measuring_batches(vlm, benchmark, samples))


def selecting(every: int) -> Callable[[], object]:
    """Work: select neurons at every `every`-th site of LLaVA-1.5-7B."""
    prepare_torch(seed=0)
    return partial(pruning_method("manu", {"prune_ratio": 10}).select, made_up_statistics(widths(every)))


def answer(sizes: Sizes, folder: Path) -> list[Table]:
    """The table `growth`, with its figure."""
    benchmark = make_benchmark(folder / "benchmark", sizes.people)
    for people in sizes.growing_people:
        make_benchmark(folder / f"people{people}", people, PORTRAITS)
    layers = ARCHITECTURE.text_layers * ARCHITECTURE.text_mlp + ARCHITECTURE.vision_layers * ARCHITECTURE.vision_mlp
    samples = sizes.growing_samples[0]
    every = [4 * sizes.every_site, 2 * sizes.every_site, sizes.every_site]
    runs: list[tuple[str, str, int, Callable[..., Callable[[], object]], tuple]] = [
        *(("people", "generate the benchmark", n, generating, (folder, n)) for n in sizes.growing_people),
        *(("people", "encode the lessons", n, encoding, (folder, n)) for n in sizes.growing_people),
        *(("people", "ask one question each", n, asking, (folder, n)) for n in sizes.growing_people),
        *(("samples", "statistics pass", 4 * n, measuring, (benchmark, n)) for n in sizes.growing_samples),
        *(("neurons", "statistics pass", n * layers, measuring, (benchmark, samples, n)) for n in sizes.growing_widths),
        *(("neurons", "select neurons", sum(widths(n).values()), selecting, (n,)) for n in every),
    ]
    rows = []
    for quantity, work, size, prepare, arguments in runs:
        cost = cost_of(prepare, *arguments)
        row = {"quantity": quantity, "work": work, "size": size, "seconds": cost.seconds}
        rows.append(row | {"extra_mb": cost.extra_bytes / MB, "peak_mb": cost.peak_bytes / MB})
    frame = with_exponents(pd.DataFrame(rows))
    caption = (
        "Seconds and memory of one piece of work at three sizes, each in its own process. extra: memory that the work "
        "added. The exponents are the slopes of the logarithms of seconds and of extra memory against the logarithm of "
        "the size: 1 is proportional, 0 is constant."
    )
    return [Table("growth", caption, frame, drawn(frame))]


def with_exponents(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with `seconds_exponent` and `extra_exponent`, fitted over the sizes of every (quantity, work)."""
    fitted = {
        key: {name: exponent(group["size"], group[column]) for name, column in _EXPONENTS.items()}
        for key, group in frame.groupby(["quantity", "work"], sort=False)
    }
    keys = zip(frame["quantity"], frame["work"], strict=True)
    return frame.join(pd.DataFrame([fitted[key] for key in keys], index=frame.index))


_EXPONENTS = {"seconds_exponent": "seconds", "extra_exponent": "extra_mb"}


def exponent(size: pd.Series, cost: pd.Series) -> float:
    """The exponent k of cost = c * size^k, by least squares on the logarithms; NaN if a cost is not positive."""
    if (cost <= 0).any():
        return float("nan")
    return float(np.polyfit(np.log(size), np.log(cost), 1)[0])


def drawn(frame: pd.DataFrame) -> Figure:
    """A figure of seconds and extra memory against the size, all relative to the smallest size."""
    lines = list(dict.fromkeys(zip(frame["quantity"], frame["work"], strict=True)))
    names = [f"{work} / {quantity}" for quantity, work in lines]
    with look():
        figure = new_figure(8.0, 4.2)
        panels = figure.subplots(1, 2, sharex=True)
        for panel, (column, title) in zip(panels, {"seconds": "time", "extra_mb": "extra memory"}.items(), strict=True):
            for name, (quantity, work) in zip(names, lines, strict=True):
                here = frame[(frame["quantity"] == quantity) & (frame["work"] == work)]
                colour, marker = method_mark(name, names)
                size, cost = here["size"].to_numpy("float64"), here[column].to_numpy("float64")
                panel.plot(size / size[0], cost / max(cost[0], 1e-9), color=colour, marker=marker, label=name)
            panel.plot([1, 4], [1, 4], color=GREY, linestyle=":", label="proportional")
            panel.set(title=title, xlabel="size relative to the smallest", xscale="log", yscale="log")
            for axis in (panel.xaxis, panel.yaxis):
                axis.set(major_formatter=LogFormatter(), minor_formatter=LogFormatter(minor_thresholds=(2, 1)))
        panels[0].set_ylabel("cost relative to the smallest size")
        legend_below(figure, panels[0].get_legend_handles_labels()[0], 8.0, wide=2.6)
        figure.suptitle("How cost grows", fontsize=10.5)
    return figure
