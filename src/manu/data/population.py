"""Who is in the built-in benchmark, whatever the format it is written in, and the names of its formats."""

from dataclasses import dataclass

import numpy as np

from manu.data.people import Person, draw_people


@dataclass(frozen=True, kw_only=True)
class BenchmarkSettings:
    """Sizes of the built-in benchmark; `image_size` in pixels, `portraits` per person in the training data.

    people: those of the reported sets; unseen_people: more of their kind, whom no model is taught; tuning_people and
    tuning_figures: more of their kind and of the public figures', for choosing hyperparameters. format: whose
    configurations and columns are written.
    """

    format: str = "mllmu"
    people: int
    public_figures: int
    strangers: int
    portraits: int
    image_size: int = 64
    seed: int = 0
    unseen_people: int = 30
    tuning_people: int = 0
    tuning_figures: int = 0


def draw_population(settings: BenchmarkSettings, rng: np.random.Generator) -> dict[str, list[Person]]:
    """Everybody but the unseen people, by group; `general`: a quarter as many as there are strangers."""
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
    """People who are in no training data, and a stream of their own: nothing else depends on them."""
    (rng,) = np.random.default_rng(settings.seed).spawn(1)
    known = [person for group in others.values() for person in group]
    return draw_people({"unseen": settings.unseen_people}, rng, known)["unseen"], rng
