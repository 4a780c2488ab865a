"""CLEAR's files: the schema and a reader (hub dataset therem/CLEAR; Dontsov et al. 2024, arXiv 2410.18057).

A set of people is three configurations: `forget05` has their captioned pictures, `forget05+tofu` TOFU's questions about
them among the same pictures, `forget05_perturbed` the pictures with wrong names. Pictures have no question; QUESTION is
this project's. The name of a person serves as ID. A text row has no name column: the reader finds the name in the
question, else in the answer. TOFU's column `perturbed_answer` holds wrong answers; the built-in benchmark writes it,
the published CLEAR lacks it. With it, a text question is a classification question as well.
"""

import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow as pa

from manu.core.errors import UserError
from manu.data.parquet import IMAGE, check_configs, columns_of, has_config, read_rows
from manu.data.population import OUTSIDERS
from manu.data.profiles import (
    CELEBRITIES,
    MULTIMODAL,
    TEXT,
    TUNING,
    Profile,
    Question,
    QuestionAnswer,
    TrainingRecord,
    celebrity_config,
    forget_config,
    lettered,
    retain_config,
)

log = logging.getLogger(__name__)

_TEXTS = pa.list_(pa.string())
PICTURE_SCHEMA = pa.schema([("image", IMAGE), ("caption", pa.string()), ("name", pa.string())])
MIXED_SCHEMA = pa.schema([("image", IMAGE), *((name, pa.string()) for name in ("caption", "question", "answer"))])
PERTURBED_SCHEMA = pa.schema(
    [*PICTURE_SCHEMA, ("perturbed_captions", _TEXTS), ("paraphrased_caption", pa.string()), ("perturbed_names", _TEXTS)]
)
ASKED_SCHEMA = pa.schema([("image", IMAGE), ("question", pa.string()), ("answer", pa.string()), ("options", _TEXTS)])
WRONG_ANSWERS = pa.field("perturbed_answer", _TEXTS)  # the built-in benchmark adds it to MIXED_SCHEMA

_LOOKS = pa.schema([("image", IMAGE), ("question", pa.string()), ("answer", pa.string())])

QUESTION = "Who can you see in this picture?"  # the caption is its answer
EVERYBODY, RETAIN = "full", "retain_perturbed"
BASE, BASE_LOOKS = "base", "base_looks"  # training data of the base model; CLEAR has neither
NAME = "CLEAR"  # in published tables
SPLITS, TASKS = ("forget", "retain", "celebrity", "general"), ("classification", "generation")  # with published numbers
_RIGHT = ("answer", "name")  # columns of real_faces and real_world; the first one present counts
_WRONG = ("options", "perturbed_answer", "perturbed_answers", "perturbed_names")


def folder_of(config: str) -> str:
    """CLEAR's configuration of the pictures of a set; config: the project's name of the set, such as forget_5."""
    kind, _, share = config.partition("_")
    named = {"Full_Set": EVERYBODY, CELEBRITIES: "real_faces", "General_Set": "real_world"} | OUTSIDERS
    return named.get(config) or (f"{kind}{int(share):02d}" if share.isdecimal() else config)


def text_config(name: str) -> str:
    """The configuration of the text questions about the people of a picture configuration."""
    return f"{name}+tofu"


def perturbed(name: str) -> str:
    """The configuration of the same pictures with wrong names."""
    return f"{name}_perturbed"


def published_configs(ratios: list[int]) -> list[str]:
    """The configurations of CLEAR that a study with these forget ratios reads."""
    return [*_needed(ratios), "real_faces", "real_world"]


def _needed(ratios: list[int]) -> dict[str, Sequence[str]]:
    asked, texts = ("image", "caption", "name", "perturbed_names"), ("question", "answer")
    needed: dict[str, Sequence[str]] = {EVERYBODY: PICTURE_SCHEMA.names, text_config(EVERYBODY): texts}
    for ratio in ratios:
        forget, retain = folder_of(forget_config(ratio)), folder_of(retain_config(ratio))
        needed |= {forget: ("name",), text_config(forget): texts, perturbed(forget): asked}
        needed |= {
            retain: ("name",),
            text_config(retain): texts,
            perturbed(retain) if ratio == TUNING else RETAIN: asked,
        }
    return needed


def check_published(folder: Path, ratios: list[int]) -> None:
    """Raise UserError that names every configuration or column that a study with these forget ratios misses."""
    check_configs(folder, _needed(ratios))
    for config in ("real_faces", "real_world"):
        _asked_columns(folder, config)


def left_out(folder: Path, config: str) -> list[str]:
    """Nothing: a question of CLEAR that cannot be used is an error; its logs count the rows that name nobody."""
    return []


def read_profiles(folder: Path, config: str) -> list[Profile]:
    """Read a set of people or of questions, one profile per picture. Raises UserError on missing columns."""
    name = folder_of(config)
    if _is_asked(config):
        return _asked_profiles(folder, name)
    people = read_names(folder, config)
    questions: dict[str, tuple[Question, ...]] = {}
    for person, rows in _text_rows(folder, name).items():
        questions[person] = tuple(question for row in rows for question in _text_questions(row))
    pictures = RETAIN if name.startswith("retain") and config != retain_config(TUNING) else perturbed(name)
    profiles = []
    for row in _filled(folder, pictures, _PICTURES_ASKED, "image", "caption", "name"):
        if row["name"] in people:  # at larger ratios some of the published retain people are forget people
            asked = _picture_questions(row, pictures) + questions.pop(row["name"], ())
            profiles.append(Profile(row["name"], row["image"]["bytes"], asked))
    return profiles + [Profile(person, b"", asked) for person, asked in questions.items()]


def read_names(folder: Path, config: str = "Full_Set") -> dict[str, str]:
    """ID -> name of the people in a configuration; in CLEAR both are the name."""
    return {person: person for person in read_ids(folder, config)}


def read_ids(folder: Path, config: str) -> list[str]:
    """The IDs of the people of a configuration, in the order of its rows."""
    if _is_asked(config):
        return list(dict.fromkeys(profile.id for profile in read_profiles(folder, config)))
    return list(
        dict.fromkeys(
            row["name"] for row in _filled(folder, folder_of(config), _columns(PICTURE_SCHEMA, "name"), "name")
        )
    )


def read_training_data(folder: Path, config: str = "ft_Data") -> list[TrainingRecord]:
    """Read the training data of the vanilla model (ft_Data) or of the built-in benchmark's base model (base_Data)."""
    if config == "base_Data":
        names = [BASE]
    else:
        names = [
            EVERYBODY,
            *(each(TUNING) for each in (forget_config, retain_config) if has_config(folder, each(TUNING))),
        ]
    records = []
    for name in names:
        for row in _filled(folder, name, PICTURE_SCHEMA, "image", "caption", "name"):
            records.append(
                TrainingRecord(
                    row["name"], row["image"]["bytes"], (QuestionAnswer(QUESTION, row["caption"]),), MULTIMODAL
                )
            )
        for person, rows in _text_rows(folder, name).items():
            answers = tuple(QuestionAnswer(row["question"], row["answer"]) for row in rows)
            records.append(TrainingRecord(person, None, answers, TEXT))
    if config == "base_Data":
        for number, row in enumerate(read_rows(folder, BASE_LOOKS, _LOOKS), start=1):
            pairs = (QuestionAnswer(row["question"], row["answer"]),)
            records.append(TrainingRecord(f"{BASE_LOOKS}-{number:04d}", row["image"]["bytes"], pairs, MULTIMODAL))
    return records


def _columns(schema: pa.Schema, *names: str) -> pa.Schema:
    """Some columns of a schema."""
    return pa.schema([schema.field(name) for name in names])


def _filled(folder: Path, config: str, schema: pa.Schema, *needed: str) -> list[dict]:
    """The rows of a configuration. Raises UserError on a row in which one of the columns `needed` is empty."""
    rows = read_rows(folder, config, schema)
    for number, row in enumerate(rows, start=1):
        for column in needed:
            value = row[column].get("bytes") if isinstance(row[column], dict) else (row[column] or "").strip()
            if not value:
                raise UserError(f"benchmark {folder}: {config}, row {number}: its {column} is empty; needed: one")
    return rows


_PICTURES_ASKED = _columns(PERTURBED_SCHEMA, "image", "caption", "name", "perturbed_names")


def _is_asked(config: str) -> bool:
    """Whether a configuration holds classification questions instead of people with captions."""
    return config in (CELEBRITIES, celebrity_config(TUNING), "General_Set")


def _text_rows(folder: Path, name: str) -> dict[str, list[dict]]:
    """The text questions about the people of a configuration, by person; logs how many rows name nobody."""
    config, wrong = text_config(name), WRONG_ANSWERS.name
    extra = [wrong] if wrong in columns_of(folder, config) else []
    asked = _columns(pa.schema([*MIXED_SCHEMA, WRONG_ANSWERS]), "question", "answer", *extra)
    rows = [row for row in read_rows(folder, config, asked) if row["question"] is not None]
    for row in rows:
        if not (row["answer"] or "").strip():
            raise UserError(f"{config}: the answer to {row['question'][:60]!r} is empty; needed: text")
    people = list(dict.fromkeys(row["name"] for row in read_rows(folder, name, ["name"])))
    find = name_finder(people)
    found: dict[str, list[dict]] = {person: [] for person in people}
    unnamed = 0
    for row in rows:
        person = find(row["question"]) or find(row["answer"])
        if person is None:
            unnamed += 1
        else:
            found[person].append(row)
    if unnamed:
        log.warning("%s: %d of %d text questions name nobody of %s and are left out", config, unnamed, len(rows), name)
    return found


def name_finder(names: Iterable[str]) -> Callable[[str], str | None]:
    """A function that finds the longest of `names` in a text, or None; ignores accents, case and punctuation."""
    known = sorted(((f" {_folded(name)} ", name) for name in names), key=lambda each: -len(each[0]))

    def find(text: str) -> str | None:
        words = f" {_folded(text)} "
        return next((name for folded, name in known if folded in words), None)

    return find


def _folded(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"\W+", " ", plain).strip().casefold()


def _picture_questions(row: dict, config: str) -> tuple[Question, ...]:
    """A generation question (caption) and a classification question (name), numbered by the picture's checksum."""
    number, name = crc32(row["image"]["bytes"]), row["name"]
    options = _options(name, row["perturbed_names"], number, f"{config}, {name}")
    return (
        Question(MULTIMODAL, "generation", number, QUESTION, row["caption"], {}),
        Question(MULTIMODAL, "classification", number, QUESTION, name, options),
    )


def _text_questions(row: dict) -> tuple[Question, ...]:
    """A generation question and, with wrong answers, a classification question between the ends of the answers."""
    question, answer, number = row["question"], row["answer"], crc32(row["question"].encode("utf-8"))
    asked = (Question(TEXT, "generation", number, question, answer, {}),)
    if not row.get(WRONG_ANSWERS.name):
        return asked
    right, *wrong = endings([answer, *row[WRONG_ANSWERS.name]])
    options = _options(right, wrong, number, question)
    return (*asked, Question(TEXT, "classification", number, question, right, options))


def endings(sentences: Sequence[str]) -> list[str]:
    """The sentences without their common first words and without the full stop."""
    words = [sentence.removesuffix(".").split() for sentence in sentences]
    shared = 0
    while all(len(each) > shared + 1 and each[shared] == words[0][shared] for each in words):
        shared += 1
    return [" ".join(each[shared:]) for each in words]


def _options(right: str, wrong: Iterable[str], number: int, where: str) -> dict[str, str]:
    try:
        return lettered(right, wrong or (), np.random.default_rng(number))
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


def _asked_columns(folder: Path, config: str) -> list[str]:
    """The columns of real_faces or real_world: right answer, wrong answers and, if present, question."""
    present = columns_of(folder, config)
    right, wrong = (next((name for name in names if name in present), None) for names in (_RIGHT, _WRONG))
    if "image" not in present or right is None or wrong is None:
        needed = f"image, {' or '.join(_RIGHT)}, and {' or '.join(_WRONG)}"
        raise UserError(f"benchmark {folder}: {config} has the columns {', '.join(present)}; needed: {needed}")
    return [right, wrong, *(name for name in ("question",) if name in present)]


def _asked_profiles(folder: Path, config: str) -> list[Profile]:
    """One classification question per picture. IDs: the person's name for faces, a number for other pictures."""
    right, wrong, *question = _asked_columns(folder, config)
    profiles = []
    needed = pa.schema([("image", IMAGE), *((each, pa.string()) for each in (right, *question))])
    others = read_rows(folder, config, [wrong])
    for number, row in enumerate(_filled(folder, config, needed, *needed.names), start=1):
        row |= others[number - 1]
        picture, where = row["image"]["bytes"], f"{config}-{number:03d}"
        text = row[question[0]] if question else QUESTION
        options = _options(row[right], row[wrong], crc32(picture), where)
        person = where if config == folder_of("General_Set") else row[right]
        asked = Question(MULTIMODAL, "classification", crc32(picture + text.encode("utf-8")), text, row[right], options)
        profiles.append(Profile(person, picture, (asked,)))
    return profiles
