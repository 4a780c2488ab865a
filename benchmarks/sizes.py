"""Sizes of the benchmarks: for measurements, and minimal ones for tests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How much every benchmark measures."""

    repeats: int = 5  # rounds that are timed
    people: int = 100  # of the built-in benchmark, except in `growth`
    timed: int = 256  # samples per set and modality in a timed statistics pass
    few: int = 100  # samples per set and modality in the first measurement of memory
    many: int = 2000  # samples per set and modality in the second one
    taught: int = 20  # people in the training data of the model that is asked
    teaching_epochs: int = 40
    asked: int = 100  # questions per modality and protocol
    few_repeats: int = 2  # rounds, if a round takes long
    training_steps: int = 60  # per model
    stages: tuple[str, ...] = ()  # stages whose start is timed; empty: all
    growing_people: tuple[int, ...] = (100, 200, 400)
    growing_samples: tuple[int, ...] = (256, 512, 1024)
    growing_widths: tuple[int, ...] = (1, 2, 4)  # factors of the MLPs' widths
    every_site: int = 1  # n: every n-th site of LLaVA-1.5-7B
    simulated: int = 2000  # samples of people per cell, for the coverage of intervals
    study: str = "mini"  # study whose second run is timed; empty: none


TINY = Sizes(
    repeats=2,
    people=20,
    timed=6,
    few=4,
    many=8,
    taught=20,
    teaching_epochs=1,
    asked=4,
    few_repeats=1,
    training_steps=3,
    stages=("make_table",),
    growing_people=(10, 40),
    growing_samples=(4, 16),
    growing_widths=(1, 4),
    every_site=14,
    simulated=10,
    study="",
)
