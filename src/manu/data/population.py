"""Who is in the built-in benchmark, in every format."""

from dataclasses import dataclass

import numpy as np

from manu.data.people import Person, draw_people
from manu.data.profiles import ANCHOR, UNSEEN

OUTSIDERS = {UNSEEN: "unseen", ANCHOR: "anchor"}  # configuration -> group


@dataclass(frozen=True, kw_only=True)
class BenchmarkSettings:
    """Sizes of the built-in benchmark; their defaults are those of a study (manu.study.model.Benchmark).

    format: "mllmu" or "clear", the published benchmark whose configurations and columns are written. people: of the
    forget and retain sets. portraits, stranger_portraits: per person, or stranger, in the training data. image_size:
    width and height in pixels. unseen_people, anchor_people: in no training data. tuning_people, tuning_figures: more
    people and public figures, for the choice of hyperparameters.
    """

    format: str = "mllmu"
    people: int
    public_figures: int
    strangers: int
    portraits: int
    stranger_portraits: int
    image_size: int
    seed: int
    unseen_people: int
    anchor_people: int
    tuning_people: int = 0
    tuning_figures: int = 0


def draw_population(settings: BenchmarkSettings, rng: np.random.Generator) -> dict[str, list[Person]]:
    """Group -> people, without the outsiders; the group `general` is a quarter of the strangers' size."""
    return draw_people(
        {
            "fictitious": settings.people,
            "public": settings.public_figures,
            "stranger": settings.strangers,
            "general": max(settings.strangers // 4, 1),
            "tuning": settings.tuning_people,
            "tuning_figure": settings.tuning_figures,
        },
        rng,
    )


def draw_outsiders(
    settings: BenchmarkSettings, others: dict[str, list[Person]]
) -> dict[str, tuple[list[Person], np.random.Generator]]:
    """Configuration -> people who are in no training data, and their own random stream; nothing else depends on them.

    others: the people of `draw_population`; no name or look is drawn twice.
    """
    known = [person for group in others.values() for person in group]
    wanted = {UNSEEN: settings.unseen_people, ANCHOR: settings.anchor_people}
    streams = np.random.default_rng(settings.seed).spawn(len(wanted))
    drawn = {}
    for (name, count), rng in zip(wanted.items(), streams, strict=True):
        people = draw_people({OUTSIDERS[name]: count}, rng, known)[OUTSIDERS[name]]
        drawn[name] = people, rng
        known += people
    return drawn
