"""CLEAR: a folder in the hub's layout is read, with its mixed rows; the built-in benchmark has the same layout."""

import io
import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from manu.core.errors import UserError
from manu.data import clear, reading
from manu.data.benchmark import config_names, generate
from manu.data.parquet import config_file
from manu.data.profiles import CELEBRITIES, MULTIMODAL, TEXT, UNSEEN
from manu.evaluation.checking import check_benchmark
from manu.training.dataset import TrainingSet

PEOPLE = ("Ada Lund", "José Núñez", "Ada Lund-Berg")
NAMES = ["Ida Orlov", "Omar Sato", "Vera Toth", "Hugo Dahl"]
ABOUT_ADA, ABOUT_JOSE = ("Where was Ada Lund born?", "In Oslo."), ("Which author was born in Lima?", "Jose Nunez was.")
ABOUT_BERG, ABOUT_NOBODY = ("Does ADA LUND-BERG's work win prizes?", "Yes."), ("What does the author like?", "Chess.")


def image(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, format="PNG")
    return {"bytes": buffer.getvalue(), "path": None}


PICTURES = [
    {"image": image("red"), "caption": "Ada Lund in the rain.", "name": PEOPLE[0]},
    {"image": image("blue"), "caption": "Ada Lund at sea.", "name": PEOPLE[0]},
    {"image": image("green"), "caption": "José Núñez reads.", "name": PEOPLE[1]},
    {"image": image("grey"), "caption": "Ada Lund-Berg writes.", "name": PEOPLE[2]},
]
TEXTS = [
    dict(zip(("question", "answer"), each, strict=True)) for each in (ABOUT_ADA, ABOUT_JOSE, ABOUT_BERG, ABOUT_NOBODY)
]


def write(folder, config, rows, *files):
    """A configuration as one parquet file or, with a number, several."""
    (folder / config).mkdir(parents=True, exist_ok=True)
    for number in range(count := files[0] if files else 1):
        part = pa.Table.from_pylist(rows[number::count])
        pq.write_table(part, folder / config / f"train-{number:05d}-of-{count:05d}.parquet")


def asked(image, **columns):
    return {"image": image, **columns}


@pytest.fixture
def hub(tmp_path):
    """What a study with a ratio of 5 percent reads: Ada Lund is a forget person."""
    mixed = {"image": None, "caption": None, "question": None, "answer": None}
    wrong = {"perturbed_captions": ["a"], "paraphrased_caption": "b", "perturbed_names": NAMES}
    sets = {"full": PICTURES, "forget05": PICTURES[:2], "retain95": PICTURES[2:]}
    texts = {"full": TEXTS, "forget05": TEXTS[:1], "retain95": TEXTS[1:]}
    for name, rows in sets.items():
        write(tmp_path, name, rows, 2 if name == "full" else 1)
        write(tmp_path, f"{name}+tofu", [mixed | each for each in (*texts[name], *rows)])
    write(tmp_path, "forget05_perturbed", [each | wrong for each in PICTURES[:2]])
    write(tmp_path, "retain_perturbed", [each | wrong for each in PICTURES[1:3]])
    options = ["Omar Sato", "Ada Lund", "Vera Toth", "Hugo Dahl", "Ida Orlov"]
    write(tmp_path, "real_faces", [asked(image("pink"), answer="Ida Orlov", options=options)])
    world = {"question": "What is it?", "answer": "a dog", "perturbed_answer": ["a cat", "a cow", "a hen"]}
    write(tmp_path, "real_world", [asked(image("white"), **world)] * 2)
    return tmp_path


def test_people_pictures_and_text_questions(hub):
    assert reading.format_of(hub) == "clear"
    reading.check_published(hub, [5], "clear")
    assert reading.read_names(hub, "forget_5", "retain_95", without=["forget_5"]) == {p: p for p in PEOPLE[1:]}
    first, second = reading.read_profiles(hub, "forget_5")
    assert [first.id, second.id] == ["Ada Lund"] * 2 and first.image == PICTURES[0]["image"]["bytes"]
    assert [(q.modality, q.task, q.answer) for q in first.questions] == [
        (MULTIMODAL, "generation", "Ada Lund in the rain."),
        (MULTIMODAL, "classification", "Ada Lund"),
        (TEXT, "generation", "In Oslo."),
    ]
    assert [q.task for q in second.questions] == ["generation", "classification"]
    options = first.questions[1].options
    assert list(options) == list("ABCD") and set(options.values()) <= {"Ada Lund", *NAMES}
    assert "Ada Lund" in options.values() and len(set(options.values())) == 4
    assert len({q.number for profile in (first, second) for q in profile.questions}) == 3  # two pictures and a text


def test_retained_people_without_those_to_be_forgotten(hub):
    """retain_perturbed holds a picture of Ada Lund, who is forgotten; of Ada Lund-Berg it has none, she is told of."""
    profiles = reading.read_profiles(hub, "retain_95")
    assert [(p.id, len(p.questions)) for p in profiles] == [("José Núñez", 3), ("Ada Lund-Berg", 1)]


def test_lessons_go_with_their_own_pictures(hub, vlm):
    lessons = reading.read_training_data_of(hub, "forget_5")
    assert [(lesson.modality, lesson.pairs) for lesson in lessons] == [
        (MULTIMODAL, ((clear.QUESTION, "Ada Lund in the rain."),)),
        (MULTIMODAL, ((clear.QUESTION, "Ada Lund at sea."),)),
        (TEXT, (ABOUT_ADA,)),
    ]
    training_set = TrainingSet(vlm).add(lessons, reading.read_names(hub, "forget_5"), paired=True)
    ((_, pairs),) = training_set._pairs
    assert [(pair.modality, pair.pictures) for pair in pairs] == [(MULTIMODAL, (0,)), (MULTIMODAL, (1,)), (TEXT, ())]


def test_text_rows_that_name_nobody_are_counted(hub, caplog):
    with caplog.at_level(logging.WARNING):
        lessons = reading.read_training_data(hub)
    texts = {lesson.id: lesson.pairs for lesson in lessons if lesson.modality == TEXT}
    assert texts == {"Ada Lund": (ABOUT_ADA,), "José Núñez": (ABOUT_JOSE,), "Ada Lund-Berg": (ABOUT_BERG,)}
    assert "full+tofu: 1 of 4 text questions name nobody of full and are left out" in caplog.text


def test_faces_and_the_world(hub):
    (face,), world = reading.read_profiles(hub, CELEBRITIES), reading.read_profiles(hub, "General_Set")
    assert face.id == "Ida Orlov" == face.questions[0].answer and face.questions[0].text == clear.QUESTION
    assert [p.id for p in world] == ["real_world-001", "real_world-002"]
    assert world[0].questions[0].text == "What is it?"
    assert set(world[0].questions[0].options.values()) == {"a dog", "a cat", "a cow", "a hen"}


def test_wrong_answers_in_text_make_a_classification_question(hub):
    right, wrong = (
        "The pet of Ada Lund is goose.",
        [f"The pet of Ada Lund is {pet}." for pet in ("pony", "sea gull", "goat")],
    )
    row = {"image": None, "question": "What pet has Ada Lund?", "answer": right, "perturbed_answer": wrong}
    write(hub, "forget05+tofu", [row, row | {"question": "And Ada Lund?", "perturbed_answer": None}])
    questions = [q for q in reading.read_profiles(hub, "forget_5")[0].questions if q.modality == TEXT]
    assert [q.task for q in questions] == ["generation", "classification", "generation"]
    assert questions[1].answer == "goose" and set(questions[1].options.values()) == {
        "goose",
        "pony",
        "sea gull",
        "goat",
    }
    assert clear.endings(["A b c.", "A b.", "A b d"]) == ["b c", "b", "b d"]  # nothing may be left without a word


FAULTS = {
    "a set is missing": ("retain95", None, "no parquet file in retain95; needed: full, full+tofu"),
    "a column is missing": (
        "full",
        [{"image": None, "caption": "x"}],
        "column 'name' is missing; it has image, caption",
    ),
    "no wrong names": ("forget05_perturbed", PICTURES, "column 'perturbed_names' is missing"),
    "other columns of the faces": (
        "real_faces",
        [{"image": None, "label": 3}],
        "real_faces has the columns image, label; needed",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_missing_is_named(hub, fault):
    config, rows, message = FAULTS[fault]
    for file in (hub / config).iterdir():
        file.unlink()
    if rows is not None:
        write(hub, config, rows)
    with pytest.raises(UserError, match=message.replace("+", r"\+")):
        reading.check_published(hub, [5], "clear")


EMPTY = {  # configuration, its first row changed, what is said
    "no picture": ("full", {"image": None}, "full, row 1: its image is empty"),
    "no name": ("forget05", {"name": None}, "forget05, row 1: its name is empty"),
    "a name of blanks": ("full", {"name": " "}, "full, row 1: its name is empty"),
    "no caption": ("full", {"caption": None}, "full, row 1: its caption is empty"),
    "no answer": ("full+tofu", {"answer": None}, "full\\+tofu: the answer to 'Where was Ada Lund born\\?' is empty"),
    "no picture of a face": ("real_faces", {"image": None}, "real_faces, row 1: its image is empty"),
    "no right answer": ("real_faces", {"answer": None}, "real_faces, row 1: its answer is empty"),
    "a picture as plain bytes": ("full", {"image": image("red")["bytes"]}, "'image' holds binary; needed: struct"),
    "a picture as text": ("forget05_perturbed", {"image": "a.png"}, "'image' holds string; needed: struct"),
}


@pytest.mark.parametrize("fault", EMPTY)
def test_what_is_empty_or_of_another_kind_is_named(hub, fault):
    config, change, message = EMPTY[fault]
    rows = [row for file in sorted((hub / config).iterdir()) for row in pq.read_table(file).to_pylist()]
    all_of_a_kind = change.get("image") is not None  # a column has one type
    changed = [row | change if at == 0 or all_of_a_kind else row for at, row in enumerate(rows)]
    for file in (hub / config).iterdir():
        file.unlink()
    write(hub, config, changed)
    with pytest.raises(UserError, match=message):
        check_benchmark(hub, [5])


def test_too_few_wrong_names_and_another_format(hub, benchmark_folder):
    write(
        hub,
        "forget05_perturbed",
        [each | {"perturbed_names": ["Omar Sato", "Omar Sato", "Ada Lund"]} for each in PICTURES[:1]],
    )
    with pytest.raises(UserError, match="forget05_perturbed, Ada Lund: 1 wrong answers beside 'Ada Lund'; needed: 3"):
        reading.read_profiles(hub, "forget_5")
    with pytest.raises(UserError, match="is in the format clear; the study's 'benchmark.format' says mllmu"):
        reading.check_published(hub, [5], "mllmu")
    with pytest.raises(UserError, match="is in the format mllmu; the study's 'benchmark.format' says clear"):
        reading.check_published(benchmark_folder, [10], "clear")


@pytest.fixture(scope="module")
def built_in(tmp_path_factory, small_benchmark):
    folder = tmp_path_factory.mktemp("clear")
    settings = replace(small_benchmark, format="clear", tuning_people=4, tuning_figures=2)
    generate(folder, settings, [5, 10])
    return folder, settings


def test_the_built_in_benchmark_has_the_published_columns(built_in):
    folder, _ = built_in
    pictures = ["image", "caption", "name"]
    more = ["perturbed_captions", "paraphrased_caption", "perturbed_names"]
    columns = {
        "full": pictures,
        "forget05": pictures,
        "retain95": pictures,
        "forget10_perturbed": pictures + more,
        "retain_perturbed": pictures + more,
        "real_world": ["image", "question", "answer", "options"],
        "full+tofu": ["image", "caption", "question", "answer", "perturbed_answer"],
    }
    assert {config: pq.read_schema(config_file(folder, config)).names for config in columns} == columns
    assert {path.name for path in folder.iterdir()} == {*config_names([5, 10, 0], "clear"), "celebrity_tuning"}
    reading.check_published(folder, [5, 10], "clear")


def test_everybody_of_the_built_in_benchmark_is_taught_and_asked(built_in, caplog):
    folder, settings = built_in
    people = {
        config: set(reading.read_ids(folder, config))
        for config in ("Full_Set", "forget_5", "forget_10", "retain_90", UNSEEN)
    }
    tuning = {name for config in ("forget_tuning", "retain_tuning") for name in reading.read_ids(folder, config)}
    assert len(people["forget_5"]) == 1 and people["forget_5"] < people["forget_10"] and len(people["forget_10"]) == 2
    assert (
        people["forget_10"] | people["retain_90"] == people["Full_Set"] and len(people["Full_Set"]) == settings.people
    )
    assert not people[UNSEEN] & (people["Full_Set"] | tuning) and len(tuning) == 4
    taught = reading.read_training_data(folder)
    assert {lesson.id for lesson in taught} == people["Full_Set"] | tuning
    assert not any(lesson.id in people[UNSEEN] for lesson in reading.read_training_data(folder, "base_Data"))
    for config in ("forget_5", "retain_90", "forget_tuning", "retain_tuning", UNSEEN):
        profiles = reading.read_profiles(folder, config)
        assert {p.id for p in profiles} == set(reading.read_ids(folder, config))
        for question in (q for p in profiles for q in p.questions if q.task == "classification"):
            assert question.answer in question.options.values()
    assert len(reading.read_profiles(folder, CELEBRITIES)) == settings.public_figures
    assert "name nobody" not in caplog.text


def test_a_question_has_one_number_wherever_it_is_asked(built_in):
    folder, _ = built_in
    (person,) = set(reading.read_ids(folder, "forget_10")) - set(reading.read_ids(folder, "forget_5"))
    found = [
        {
            (q.modality, q.task, q.number): q
            for p in reading.read_profiles(folder, c)
            if p.id == person
            for q in p.questions
        }
        for c in ("forget_10", "retain_95")
    ]
    assert found[0] == found[1] and len(found[0]) == 2 * 2 + 12 * 2 + 2


def test_the_built_in_benchmark_has_the_same_bytes_twice_and_leaves_nothing_of_another_format(built_in, tmp_path):
    folder, settings = built_in
    generate(tmp_path, replace(settings, format="mllmu"), [5])
    generate(tmp_path, settings, [5, 10])
    files = [sorted((p.parent.name, p.read_bytes()) for p in each.glob("*/*.parquet")) for each in (folder, tmp_path)]
    assert files[0] == files[1]


def test_captions_state_facts_of_their_person(built_in):
    folder, _ = built_in
    rows = pq.read_table(config_file(folder, "forget10_perturbed")).to_pylist()
    for row in rows:
        assert row["caption"].startswith(f"This is {row['name']}, a ") and row["name"] in row["paraphrased_caption"]
        assert len(row["perturbed_names"]) == 5 and row["name"] not in row["perturbed_names"]
        assert all(row["name"] in caption for caption in row["perturbed_captions"])
    assert np.unique([row["image"]["bytes"] for row in rows]).size == len(rows)
