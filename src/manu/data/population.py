"""Who is in the built-in benchmark, in every format."""

from dataclasses import dataclass

import numpy as np

from manu.data.people import Person, draw_people


@dataclass(frozen=True, kw_only=True)
class BenchmarkSettings:
    """Sizes of the built-in benchmark; their defaults are those of a study (manu.study.model.Benchmark).

    format: "mllmu" or "clear", the published benchmark whose configurations and columns are written. people: of the
    forget and retain sets. portraits: per person in the training data. image_size: width and height in pixels.
    unseen_people: in no training data. tuning_people, tuning_figures: more people and public figures, for the choice of
    hyperparameters.
    """

    format: str = "mllmu"
    people: int
    public_figures: int
    strangers: int
    portraits: int
    image_size: int
    seed: int
    unseen_people: int
    tuning_people: int = 0
    tuning_figures: int = 0


def draw_population(settings: BenchmarkSettings, rng: np.random.Generator) -> dict[str, list[Person]]:
    """Group -> people, without the unseen people; the group `general` is a quarter of the strangers' size."""
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


def draw_unseen(
    settings: BenchmarkSettings, others: dict[str, list[Person]]
) -> tuple[list[Person], np.random.Generator]:
    """The unseen people, and their own random stream, so that nothing else depends on them.

    others: the people of `draw_population`, whose names and looks are not drawn again.
    """
    (rng,) = np.random.default_rng(settings.seed).spawn(1)
    known = [person for group in others.values() for person in group]
    return draw_people({"unseen": settings.unseen_people}, rng, known)["unseen"], rng
