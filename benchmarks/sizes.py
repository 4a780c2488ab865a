"""How much is measured: enough to be read, or just enough to show that it runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """repeats: rounds in which all sides are timed; few_repeats: where a round takes long; people: of the built-in
    benchmark, for what does not grow; timed, few, many: samples of each set and modality in the statistics pass, timed
    and at two peaks of memory; taught: people whom the asked model is taught, and for how many epochs; asked: questions
    of each modality and protocol; training_steps: of each model; stages: that are started, all if empty; growing_people,
    growing_samples, growing_widths: the sizes of the growth, the last as factors of the MLPs' widths; every_site: one of
    so many sites of LLaVA-7B; study: whose second run is timed, none if empty."""

    repeats: int = 5
    people: int = 100
    timed: int = 256
    few: int = 100
    many: int = 2000
    taught: int = 20
    teaching_epochs: int = 40
    asked: int = 100
    few_repeats: int = 2
    training_steps: int = 60
    stages: tuple[str, ...] = ()  # empty: all
    growing_people: tuple[int, ...] = (100, 200, 400)
    growing_samples: tuple[int, ...] = (256, 512, 1024)
    growing_widths: tuple[int, ...] = (1, 2, 4)
    every_site: int = 1
    study: str = "mini"


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
    stages=("judge_claims",),
    growing_people=(10, 40),
    growing_samples=(4, 16),
    growing_widths=(1, 4),
    every_site=14,
    study="",
)
