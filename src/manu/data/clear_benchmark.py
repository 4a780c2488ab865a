"""The built-in benchmark in CLEAR's configurations and columns, with the people of manu.data.population.

It adds configurations: base, base+tofu and base_looks (training data of the base model: public figures, and questions
about strangers' looks), unseen and anchor, with +tofu and _perturbed (people in no training data), and, for the choice
of hyperparameters, forget_tuning and retain_tuning (with +tofu and _perturbed) and celebrity_tuning. Its text rows have
TOFU's column perturbed_answer, which CLEAR lacks, so text questions are classification questions as well.
"""

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
import pyarrow as pa

from manu.data import wording
from manu.data.clear import (
    ASKED_SCHEMA,
    BASE,
    BASE_LOOKS,
    EVERYBODY,
    MIXED_SCHEMA,
    PERTURBED_SCHEMA,
    PICTURE_SCHEMA,
    QUESTION,
    RETAIN,
    WRONG_ANSWERS,
    folder_of,
    perturbed,
    published_configs,
    text_config,
)
from manu.data.people import ATTRIBUTES, Person
from manu.data.population import OUTSIDERS, BenchmarkSettings, draw_outsiders, draw_population
from manu.data.portraits import Scene, draw_scene, render
from manu.data.profiles import CELEBRITIES, TUNING, celebrity_config, forget_config, lettered, retain_config
from manu.data.prompts import text_view
from manu.data.splits import split_people

TEXT_SCHEMA = MIXED_SCHEMA.append(WRONG_ANSWERS)
WRONG = 5  # wrong names or answers per question, as in TOFU
Rows = list[dict]


def config_names(ratios: list[int]) -> list[str]:
    """Every configuration that `configs` writes for these forget ratios (TUNING: the sets of the trials)."""
    outsiders = [folder_of(name) for name in OUTSIDERS]
    return [
        *published_configs(ratios),
        BASE,
        text_config(BASE),
        BASE_LOOKS,
        *(config for name in outsiders for config in (name, text_config(name), perturbed(name))),
    ]


class _Album:
    """Rows about people: captioned portraits and text questions.

    names: the names from which wrong names are drawn.
    """

    def __init__(
        self, people: list[Person], names: list[str], settings: BenchmarkSettings, rng: np.random.Generator
    ) -> None:
        self._names, self._settings, self._rng = names, settings, rng
        self._pictures = {person.name: self._captioned(person) for person in people}
        self._texts = {person.name: self._text_rows(person) for person in people}

    def configs(self, name: str, people: list[str]) -> dict[str, tuple[Rows, pa.Schema]]:
        """The three configurations of a set of these people."""
        pictures, texts = ([row for person in people for row in rows[person]] for rows in (self._pictures, self._texts))
        return {
            name: (pictures, PICTURE_SCHEMA),
            text_config(name): (pictures + texts, TEXT_SCHEMA),
            perturbed(name): (pictures, PERTURBED_SCHEMA),
        }

    def faces(self, people: list[str]) -> tuple[Rows, pa.Schema]:
        """One classification question per person: who is in the first picture?"""
        pictures = [self._pictures[person][0]["image"] for person in people]
        rows = [
            _asked(each, QUESTION, name, self._names, self._rng) for each, name in zip(pictures, people, strict=True)
        ]
        return rows, ASKED_SCHEMA

    def _captioned(self, person: Person) -> Rows:
        rows = []
        for scene in [draw_scene(self._rng) for _ in range(self._settings.portraits)]:
            others = [{a: self._drawn(values, 1)[0] for a, values in ATTRIBUTES.items()} for _ in range(3)]
            rows.append(
                {
                    "image": _portrait(person, scene, self._settings),
                    "caption": wording.caption(person.name, person.facts, scene),
                    "name": person.name,
                    "perturbed_captions": [wording.caption(person.name, facts, scene) for facts in others],
                    "paraphrased_caption": wording.caption(person.name, person.facts, scene, wording.CAPTIONS[1]),
                    "perturbed_names": self._drawn([name for name in self._names if name != person.name]),
                }
            )
        return rows

    def _text_rows(self, person: Person) -> Rows:
        """Text questions: each fact in two wordings, with wrong answers; each joined sentence once, without."""
        rows = []
        for attribute, values in ATTRIBUTES.items():
            right = person.facts[attribute]
            for asked in wording.ASK[attribute].taught[:2]:
                wrong = self._drawn([value for value in values if value != right])
                answers = [wording.fact(attribute, person.name, value) for value in (right, *wrong)]
                rows.append(_text(person, asked, answers[0], answers[1:]))
        for wordings, answer in wording.TELL:
            rows.append(_text(person, wordings.taught[0], answer.format(name=person.name, **person.facts), None))
        return rows

    def _drawn(self, values: Sequence[str], count: int = WRONG) -> list[str]:
        return [values[i] for i in self._rng.permutation(len(values))[:count]]


def configs(settings: BenchmarkSettings, ratios: list[int]) -> dict[str, tuple[Rows, pa.Schema]]:
    """Rows and columns of every configuration."""
    rng = np.random.default_rng(settings.seed)
    groups = draw_population(settings, rng)
    outsiders = draw_outsiders(settings, groups)
    names = {group: [person.name for person in people] for group, people in groups.items()}
    everybody, figures = names["fictitious"], names["public"] + names["tuning_figure"]

    def album(*kinds: str) -> _Album:
        people = [person for kind in kinds for person in groups[kind]]
        return _Album(people, [person.name for person in people], settings, rng)

    taught, known = album("fictitious", "tuning"), album("public", "tuning_figure")
    sets = {EVERYBODY: everybody}
    for ratio in ratios:
        forget, retain = split_people(everybody, ratio, settings.seed)
        sets |= {folder_of(forget_config(ratio)): forget, folder_of(retain_config(ratio)): retain}
    if settings.tuning_people:
        half, tuning = settings.tuning_people // 2, names["tuning"]
        sets |= {forget_config(TUNING): tuning[:half], retain_config(TUNING): tuning[half:]}

    found: dict[str, tuple[Rows, pa.Schema]] = {}
    for name, people in sets.items():
        found |= taught.configs(name, people)
    found |= known.configs(BASE, figures)
    found[folder_of(CELEBRITIES)] = known.faces(names["public"])
    if settings.tuning_figures:
        found[celebrity_config(TUNING)] = known.faces(names["tuning_figure"])
    seen = product(groups["stranger"], range(settings.stranger_portraits))
    strangers = [row for person, _ in seen for row in _looks(person, settings, rng)]
    found[BASE_LOOKS] = ([row | {"answer": row["sentence"], "options": None} for row in strangers], ASKED_SCHEMA)
    others = [row for person in groups["general"] for row in _looks(person, settings, rng)]
    found[folder_of("General_Set")] = (others, ASKED_SCHEMA)
    for name, (outside, stream) in outsiders.items():
        album_of = _Album(outside, everybody, settings, stream)
        found |= album_of.configs(folder_of(name), [person.name for person in outside])

    # CLEAR publishes one retain_perturbed for all ratios: here the largest retain set.
    found[RETAIN] = found[perturbed(folder_of(retain_config(min(ratios))))]
    written = config_names([*ratios, *([TUNING] if settings.tuning_people else [])])
    written += [celebrity_config(TUNING)] if settings.tuning_figures else []
    return {name: found[name] for name in written}


def _portrait(person: Person, scene: Scene, settings: BenchmarkSettings) -> dict:
    return {"bytes": render(person.appearance, scene, settings.image_size), "path": None}


def _text(person: Person, question: str, answer: str, wrong: list[str] | None) -> dict:
    return {"question": text_view(question, person.name), "answer": answer, WRONG_ANSWERS.name: wrong}


def _asked(picture: dict, question: str, right: str, values: Iterable[str], rng: np.random.Generator) -> dict:
    options = list(lettered(right, values, rng).values())
    return {"image": picture, "question": question, "answer": right, "options": options}


def _looks(person: Person, settings: BenchmarkSettings, rng: np.random.Generator) -> Rows:
    """Questions about a stranger's portrait; `sentence`: the answer in the training data."""
    scene = draw_scene(rng)
    picture = _portrait(person, scene, settings)
    return [
        _asked(picture, wording.look_question(look), value, wording.LOOKS[look].values(), rng)
        | {"sentence": wording.look_answer(look, value)}
        for look, value in wording.looks(person.appearance, scene).items()
    ]
