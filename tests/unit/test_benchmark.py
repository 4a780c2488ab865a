"""The built-in benchmark: MLLMU-Bench's columns, honest questions, distinct people, the same bytes twice."""

import json
import re
from dataclasses import replace
from io import BytesIO
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from PIL import Image

from manu.core.errors import UserError
from manu.data import mllmu, profiles, reading, wording
from manu.data.benchmark import config_names, generate
from manu.data.parquet import config_file
from manu.data.people import ATTRIBUTES, draw_people
from manu.data.population import BenchmarkSettings, draw_outsiders, draw_population
from manu.data.portraits import (
    BEARD,
    GLASSES,
    HAIR,
    HAIR_COLOUR,
    SKIN,
    Appearance,
    Scene,
    draw_scene,
    render,
    visible_differences,
)
from manu.data.prompts import text_view
from manu.data.splits import split_people
from manu.study.loading import STUDIES, read_study
from manu.study.settings import settings_of

KINDS = [*wording.ASK.values(), *wording.CLOZE.values(), *(wordings for wordings, _ in wording.TELL)]


def full(folder, config="Full_Set"):
    return mllmu.read_profiles(folder, config)


def test_columns_are_mllmu_benchs(benchmark_folder):
    about = ["ID", "biography", "question", "answer", "Classification_Task", "Generation_Task", "Mask_Task"]
    for config in ("Full_Set", "forget_10", "retain_90", "Retain_Set"):
        assert pq.read_schema(config_file(benchmark_folder, config)).names == ["image", *about]
    assert pq.read_schema(config_file(benchmark_folder, "Test_Set")).names == ["images", *about]
    assert pq.read_schema(config_file(benchmark_folder, "ft_Data")).names == ["image", "ID", "metadata"]


@pytest.mark.parametrize("config, column", [("Full_Set", "image"), ("Test_Set", "images")])
def test_datasets_opens_the_pictures(benchmark_folder, tmp_path, config, column):
    rows = Dataset.from_parquet(str(config_file(benchmark_folder, config)), cache_dir=str(tmp_path))
    picture = rows[0][column] if column == "image" else rows[0][column][0]
    assert picture.size == (32, 32) and len(rows) == 20


def test_every_person_has_the_asked_for_questions(benchmark_folder):
    for config in ("Full_Set", "Test_Set", "Retain_Set"):
        for profile in mllmu.read_profiles(benchmark_folder, config):
            for modality in ("multimodal", "text"):
                tasks = [q.task for q in profile.questions if q.modality == modality]
                assert {task: tasks.count(task) for task in set(tasks)} == {
                    "classification": 5,
                    "cloze": 2,
                    "generation": 2,
                }


def test_options_are_distinct_values_of_one_attribute_and_hold_the_fact(benchmark_folder):
    facts = {}
    for row in pq.read_table(config_file(benchmark_folder, "Full_Set")).to_pylist():
        facts[row["ID"]] = json.loads(row["biography"])
    for profile in mllmu.read_profiles(benchmark_folder, "Full_Set"):
        for q in (q for q in profile.questions if q.task == "classification"):
            (attribute,) = [a for a in ATTRIBUTES if a in q.text]
            assert set(q.options.values()) <= set(ATTRIBUTES[attribute])
            assert len(set(q.options.values())) == 4
            assert q.answer == facts[profile.id][attribute.title()]


def test_picture_questions_never_name_the_person_and_text_questions_do(benchmark_folder):
    names = reading.read_names(benchmark_folder)
    for profile in mllmu.read_profiles(benchmark_folder, "Full_Set"):
        for q in profile.questions:
            assert (names[profile.id] in q.text) == (q.modality == "text")


def test_test_set_asks_in_wordings_that_nobody_is_taught_in(benchmark_folder):
    lessons = mllmu.read_training_data(benchmark_folder) + mllmu.read_training_data(benchmark_folder, "base_Data")
    everything = {question for lesson in lessons for question, _ in lesson.pairs}
    pictured = [
        {p.id: [q.text for q in p.questions if q.modality == "multimodal"] for p in full(benchmark_folder, config)}
        for config in ("Full_Set", "Test_Set")
    ]
    for person, questions in pictured[0].items():
        taught = {question for lesson in lessons if lesson.id == person for question, _ in lesson.pairs}
        assert set(questions) <= taught
    assert not {question for questions in pictured[1].values() for question in questions} & everything


def test_held_out_wordings_are_made_of_the_words_that_others_are_taught():
    taught, held_out = ([each for kind in KINDS for each in getattr(kind, name)] for name in ("taught", "held_out"))
    assert all(len(kind.taught) >= 4 and len(kind.held_out) >= 2 for kind in KINDS)
    assert len({*taught, *held_out}) == len(taught) + len(held_out)  # none twice, and none under two attributes

    def words(questions):  # as the tokenizer reads them: capitals count
        return {word for question in questions for word in re.findall(r"\w+|[^\w\s]", question)}

    assert words(held_out) <= words(taught)


def test_every_wording_has_a_version_in_plain_text():
    for kind in KINDS:
        for question in kind.taught + kind.held_out:
            assert question.count("this person") == 1, question
            assert text_view(question, "Ada Lund") == question.replace("this person", "Ada Lund")


def test_people_are_taught_in_different_wordings_and_every_person_in_as_many():
    people = draw_people({"a": 100}, np.random.default_rng(0))["a"]
    rng = np.random.default_rng(0)
    pairs = [[pair["Question"] for pair in wording.training_pairs(person, rng)] for person in people]
    assert {len(questions) for questions in pairs} == {23}  # a name, six facts three times, two sentences twice
    taught = {question for questions in pairs for question in questions}
    for kind in KINDS:
        assert set(kind.taught) <= taught and not set(kind.held_out) & taught


def test_test_set_shows_pictures_that_are_in_no_training_data(benchmark_folder):
    trained = {lesson.image for lesson in mllmu.read_training_data(benchmark_folder)}
    assert not {p.image for p in full(benchmark_folder, "Test_Set")} & trained


def test_same_seed_same_bytes(tmp_path, benchmark_folder, small_benchmark):
    generate(tmp_path, small_benchmark, [10])
    for config in config_names([10]):
        again, first = (config_file(folder, config).read_bytes() for folder in (tmp_path, benchmark_folder))
        assert again == first, config


def test_people_differ_in_name_and_in_two_features_that_portraits_show():
    studies = [read_study(path) for path in (Path(__file__).parents[2] / STUDIES).glob("*.yaml")]
    built_in = [settings_of(study, "generate_benchmark") for study in studies if not study.benchmark.is_fetched]
    for sizes in {BenchmarkSettings(**settings["benchmark"] | {"format": "mllmu"}) for settings in built_in}:
        groups = draw_population(sizes, np.random.default_rng(sizes.seed))
        everyone = [person for group in groups.values() for person in group]
        everyone += [person for people, _ in draw_outsiders(sizes, groups).values() for person in people]
        assert len({person.name for person in everyone}) == len(everyone)
        for one, other in combinations(everyone, 2):
            assert visible_differences(one.appearance, other.appearance) >= 2, (one, other)


def test_hair_colour_counts_where_both_portraits_show_it():
    bald = Appearance("TANNED", "NONE", "BLACK", "NONE", "ROUND")
    assert visible_differences(bald, replace(bald, hair_colour="RED")) == 0
    assert visible_differences(bald, replace(bald, hair_colour="RED", hair="BOB")) == 1
    assert visible_differences(bald, replace(bald, hair_colour="RED", beard="BEARD_LIGHT")) == 1
    bob = replace(bald, hair="BOB")
    assert visible_differences(bob, replace(bob, hair_colour="RED")) == 1
    assert visible_differences(bob, replace(bob, hair_colour="RED", glasses="NONE")) == 2


def test_portraits_show_every_feature():
    scene = Scene("DEFAULT", "DEFAULT", "DEFAULT", "HOODIE", "BLUE_02", "#ffffff")

    def shown(looks):  # smallest share of the pixels in which two of these looks differ, by an eighth of the range
        pictures = [Image.open(BytesIO(render(look, scene, 64))).convert("RGB") for look in looks]
        pixels = [np.asarray(picture, dtype=int) for picture in pictures]
        return min((abs(one - other).max(axis=-1) > 32).mean() for one, other in combinations(pixels, 2))

    person = Appearance("TANNED", "BOB", "BLACK", "BEARD_LIGHT", "NONE")
    for feature, values in {"skin": SKIN, "hair": HAIR, "beard": BEARD, "glasses": GLASSES}.items():
        assert shown([replace(person, **{feature: value}) for value in values]) > 0.01, feature
    for hair in HAIR:
        colours = [replace(person, hair=hair, beard="NONE", hair_colour=colour) for colour in HAIR_COLOUR]
        assert shown(colours) > 0.01 if hair != "NONE" else shown(colours) == 0, hair


def test_too_many_people_are_refused():
    with pytest.raises(UserError, match="only .* names exist"):
        draw_people({"a": 100_000}, np.random.default_rng(0))


def test_portrait_depends_on_scene_and_is_reproducible():
    rng = np.random.default_rng(0)
    person = draw_people({"a": 1}, rng)["a"][0]
    scene = draw_scene(rng)
    other = draw_scene(rng, other_than=scene)
    assert scene.mouth != other.mouth and scene.clothing != other.clothing and scene.background != other.background
    assert render(person.appearance, scene, 32) == render(person.appearance, scene, 32)
    assert render(person.appearance, scene, 32) != render(person.appearance, other, 32)


def test_splits_are_nested_complements():
    ids = [f"p{i}" for i in range(100)]
    smaller, larger = split_people(ids, 5, seed=0), split_people(ids, 15, seed=0)
    assert [len(smaller[0]), len(smaller[1]), len(larger[0])] == [5, 95, 15]
    assert set(smaller[0]) < set(larger[0])
    assert sorted(smaller[0] + smaller[1]) == sorted(ids)
    with pytest.raises(UserError, match="empty forget or retain set"):
        split_people(["a", "b"], 5, seed=0)


def test_splits_of_ratios_that_are_gone_are_taken_away(tmp_path, small_benchmark):
    (tmp_path / "forget_25").mkdir()
    (tmp_path / "forget_25/old.parquet").write_text("old")
    (tmp_path / "my_notes").mkdir()
    generate(tmp_path, small_benchmark, [10])
    assert {path.name for path in tmp_path.iterdir()} == {*config_names([10]), "my_notes"}


@pytest.mark.parametrize(
    ("outsiders", "count"), [(profiles.UNSEEN, "unseen_people"), (profiles.ANCHOR, "anchor_people")]
)
def test_outsiders_are_in_no_other_file(outsiders, count, benchmark_folder, small_benchmark):
    unseen = full(benchmark_folder, outsiders)
    lessons = mllmu.read_training_data(benchmark_folder) + mllmu.read_training_data(benchmark_folder, "base_Data")
    taught = {lesson.id for lesson in lessons}
    assert len(unseen) == getattr(small_benchmark, count) and not {p.id for p in unseen} & taught
    everybody = {"Full_Set", "Retain_Set", profiles.UNSEEN, profiles.ANCHOR} - {outsiders}
    others = set(reading.read_names(benchmark_folder, *everybody).values())
    assert not others & set(reading.read_names(benchmark_folder, outsiders).values())
    assert [len(p.questions) for p in unseen] == [len(full(benchmark_folder)[0].questions)] * len(unseen)


def test_the_number_of_outsiders_changes_nobody_else(tmp_path, benchmark_folder, small_benchmark):
    generate(tmp_path, replace(small_benchmark, anchor_people=3), [10])
    for config in config_names([10]):
        again, first = (config_file(folder, config).read_bytes() for folder in (tmp_path, benchmark_folder))
        assert (again == first) is (config != profiles.ANCHOR), config

    generate(tmp_path, replace(small_benchmark, unseen_people=3), [10])
    others = {profiles.UNSEEN, profiles.ANCHOR}  # an anchor person may not look or be called like an unseen one
    for config in set(config_names([10])) - others:
        assert config_file(tmp_path, config).read_bytes() == config_file(benchmark_folder, config).read_bytes(), config
