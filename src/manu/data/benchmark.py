"""The built-in benchmark: fictitious people, public figures and strangers in the columns of MLLMU-Bench, or of CLEAR
(manu.data.clear_benchmark).

It adds to MLLMU-Bench's configurations: base_Data (training data of the base model: public figures, and questions
about strangers' looks), General_Set (other strangers, the general-utility set), Unseen_Set (people like those of
Full_Set who are in no training data, for membership inference), Anchor_Set (others like them, on whose questions
unlearning may hold a model near vanilla), and for the choice of hyperparameters forget_tuning and
retain_tuning (people whose training records are in ft_Data) and celebrity_tuning (public figures whose training records
are in base_Data). The people of the last three are in no other configuration.
"""

import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa

from manu.data import clear_benchmark, mllmu, wording
from manu.data.parquet import write_config
from manu.data.people import ATTRIBUTES, Person
from manu.data.population import BenchmarkSettings, draw_outsiders, draw_population
from manu.data.portraits import Scene, draw_scene, render
from manu.data.profiles import (
    ANCHOR,
    CELEBRITIES,
    TUNING,
    UNSEEN,
    celebrity_config,
    forget_config,
    lettered,
    retain_config,
)
from manu.data.prompts import text_view
from manu.data.splits import split_people


def config_names(ratios: list[int], name: str = "mllmu") -> list[str]:
    """Every configuration of the built-in benchmark for these forget ratios (TUNING: the sets of the trials).

    name: of the format.
    """
    if name == "clear":
        return clear_benchmark.config_names(ratios)
    return [*mllmu.published_configs(ratios), "base_Data", "General_Set", UNSEEN, ANCHOR]


def _image(data: bytes) -> dict:
    return {"bytes": data, "path": None}


def _choice(question: str, value: str, values, rng: np.random.Generator) -> dict:
    """One four-option question; the distractors are other values of the same attribute."""
    options = lettered(value, values, rng)
    right = next(letter for letter, text in options.items() if text == value)
    return {"Question": question, "Options": options, "Correct_Answer": right}


def _about(person: Person) -> dict:
    biography = {"Name": person.name, **{a.title(): v for a, v in person.facts.items()}}
    wordings, answer = wording.TELL[0]
    return {
        "ID": person.id,
        "biography": json.dumps(biography, ensure_ascii=False),
        "question": wordings.taught[0],
        "answer": answer.format(name=person.name, **person.facts),
    }


def _tasks(person: Person, rng: np.random.Generator, held_out: bool = False) -> dict:
    """5+5 classification, 2+2 cloze and 2+2 generation questions, all from the person's facts.

    held_out: ask in wordings that nobody is taught in, else in those that everybody is taught in.
    """

    def worded(wordings: wording.Wordings) -> str:
        return wording.drawn(wordings.held_out, rng) if held_out else wordings.taught[0]

    order = [list(ATTRIBUTES)[i] for i in rng.permutation(len(ATTRIBUTES))]
    chosen, gaps = order[:5], order[-2:]

    def both(question: str) -> tuple[tuple[str, str | None], ...]:
        return ("Image_Textual", question), ("Pure_Text", text_view(question, person.name))

    choices: dict[str, list[dict]] = {"Image_Textual_Questions": [], "Pure_Text_Questions": []}
    for attribute in chosen:
        question = worded(wording.ASK[attribute])
        choice = _choice(question, person.facts[attribute], ATTRIBUTES[attribute], rng)
        for kind, text in both(question):
            choices[f"{kind}_Questions"].append({**choice, "Question": text})
    cloze = [
        {"Type": kind, "Question": text, "Ground_Truth": person.facts[attribute]}
        for attribute in gaps
        for kind, text in both(worded(wording.CLOZE[attribute]))
    ]
    generation = [
        {"Type": kind, "Question": text, "Ground_Truth": answer.format(name=person.name, **person.facts)}
        for wordings, answer in wording.TELL
        for kind, text in both(worded(wordings))
    ]
    return {"Classification_Task": choices, "Generation_Task": generation, "Mask_Task": cloze}


def _stranger_row(person: Person, scene: Scene, portrait: bytes, rng: np.random.Generator) -> dict:
    seen = wording.looks(person.appearance, scene)
    choices = [_choice(wording.look_question(a), v, wording.LOOKS[a].values(), rng) for a, v in seen.items()]
    return {
        "image": _image(portrait),
        "ID": person.id,
        "biography": json.dumps({"Name": person.name}),
        "question": choices[0]["Question"],
        "answer": wording.look_answer(*next(iter(seen.items()))),
        "Classification_Task": {"Image_Textual_Questions": choices, "Pure_Text_Questions": []},
        "Generation_Task": [],
        "Mask_Task": [],
    }


def _outsiders(people: list[Person], rng: np.random.Generator, settings: BenchmarkSettings) -> list[dict]:
    rows = []
    for person in people:
        portrait = render(person.appearance, draw_scene(rng), settings.image_size)
        rows.append({"image": _image(portrait), **_about(person), **_tasks(person, rng)})
    return rows


def generate(folder: Path, settings: BenchmarkSettings, ratios: list[int]) -> dict[str, int]:
    """Write the benchmark under `folder` and return the number of rows per configuration."""
    configs = (clear_benchmark.configs if settings.format == "clear" else _mllmu_configs)(settings, ratios)
    for old in {file.parent for file in Path(folder).glob("*/*.parquet")}:  # of earlier settings
        if old.name not in configs:
            shutil.rmtree(old)
    for name, (rows, schema) in configs.items():
        write_config(folder, name, rows, schema)
    return {name: len(rows) for name, (rows, _) in configs.items()}


def _mllmu_configs(settings: BenchmarkSettings, ratios: list[int]) -> dict[str, tuple[list[dict], pa.Schema]]:
    """Rows and columns of every configuration."""
    rng = np.random.default_rng(settings.seed)
    groups = draw_population(settings, rng)
    profiles: dict[str, list[dict]] = {name: [] for name in groups if name not in ("stranger", "general")}
    training: dict[str, list[dict]] = {name: [] for name in profiles}
    tests = []
    for group, rows in profiles.items():
        for person in groups[group]:
            scenes = [draw_scene(rng) for _ in range(settings.portraits)]
            portraits = [render(person.appearance, scene, settings.image_size) for scene in scenes]
            rows.append({"image": _image(portraits[0]), **_about(person), **_tasks(person, rng)})
            pairs = wording.training_pairs(person, rng)
            training[group] += [{"image": _image(p), "ID": person.id, "metadata": json.dumps(pairs)} for p in portraits]
            if group == "fictitious":
                other = render(person.appearance, draw_scene(rng, other_than=scenes[0]), settings.image_size)
                tests.append({"images": [_image(other)], **_about(person), **_tasks(person, rng, held_out=True)})

    strangers = []
    for person, number in product(groups["stranger"], range(settings.stranger_portraits)):
        scene = draw_scene(rng)
        pairs = [
            {"Question": wording.look_question(a), "Answer": wording.look_answer(a, v)}
            for a, v in wording.looks(person.appearance, scene).items()
        ]
        portrait = render(person.appearance, scene, settings.image_size)
        strangers.append({"image": _image(portrait), "ID": f"{person.id}-{number}", "metadata": json.dumps(pairs)})
    general = []
    for person in groups["general"]:
        scene = draw_scene(rng)
        general.append(_stranger_row(person, scene, render(person.appearance, scene, settings.image_size), rng))

    configs = {
        "Full_Set": (profiles["fictitious"], mllmu.PROFILE_SCHEMA),
        "ft_Data": (training["fictitious"] + training["tuning"], mllmu.TRAINING_SCHEMA),
        "Test_Set": (tests, mllmu.TEST_SCHEMA),
        CELEBRITIES: (profiles["public"], mllmu.PROFILE_SCHEMA),
        "base_Data": (training["public"] + training["tuning_figure"] + strangers, mllmu.TRAINING_SCHEMA),
        "General_Set": (general, mllmu.PROFILE_SCHEMA),
    }
    for name, (people, stream) in draw_outsiders(settings, groups).items():
        configs[name] = (_outsiders(people, stream, settings), mllmu.PROFILE_SCHEMA)
    ids = [person.id for person in groups["fictitious"]]
    for ratio in ratios:
        forget, retain = split_people(ids, ratio, settings.seed)
        by_id = {row["ID"]: row for row in profiles["fictitious"]}
        configs[forget_config(ratio)] = ([by_id[i] for i in forget], mllmu.PROFILE_SCHEMA)
        configs[retain_config(ratio)] = ([by_id[i] for i in retain], mllmu.PROFILE_SCHEMA)
    if settings.tuning_people:
        half = settings.tuning_people // 2
        configs[forget_config(TUNING)] = (profiles["tuning"][:half], mllmu.PROFILE_SCHEMA)
        configs[retain_config(TUNING)] = (profiles["tuning"][half:], mllmu.PROFILE_SCHEMA)
    if settings.tuning_figures:
        configs[celebrity_config(TUNING)] = (profiles["tuning_figure"], mllmu.PROFILE_SCHEMA)
    return configs
