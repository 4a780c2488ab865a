"""MLLMU-Bench's files: the schema and a reader.

One folder per configuration (Full_Set, ft_Data, Test_Set, Retain_Set, forget_5, retain_95, ...), each
with parquet files, as on the hub (dataset MLLMMU/MLLMU-Bench). The built-in benchmark is written in
the same columns, so one reader serves both. In MLLMU-Bench the configuration named Retain_Set holds
the public figures; the retain people are in retain_<100 - ratio>.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from manu.core.errors import UserError
from manu.data.parquet import IMAGE, check_configs, read_rows
from manu.data.profiles import (
    CELEBRITIES,
    MULTIMODAL,
    TEXT,
    Profile,
    Question,
    QuestionAnswer,
    TrainingRecord,
    forget_config,
    retain_config,
)
from manu.data.prompts import LETTERS

log = logging.getLogger(__name__)

_CHOICE = pa.struct(
    [
        ("Question", pa.string()),
        ("Options", pa.struct([(letter, pa.string()) for letter in LETTERS])),
        ("Correct_Answer", pa.string()),
    ]
)
_OPEN = pa.struct([("Type", pa.string()), ("Question", pa.string()), ("Ground_Truth", pa.string())])
_TASKS = [
    (
        "Classification_Task",
        pa.struct([("Image_Textual_Questions", pa.list_(_CHOICE)), ("Pure_Text_Questions", pa.list_(_CHOICE))]),
    ),
    ("Generation_Task", pa.list_(_OPEN)),
    ("Mask_Task", pa.list_(_OPEN)),
]
_ABOUT = [("biography", pa.string()), ("question", pa.string()), ("answer", pa.string())]

PROFILE_SCHEMA = pa.schema([("image", IMAGE), ("ID", pa.string()), *_ABOUT, *_TASKS])
# The published Test_Set has the pictures, the ID and the tasks alone; the built-in one has the other columns as well.
TEST_SCHEMA = pa.schema([("images", pa.list_(IMAGE)), ("ID", pa.string()), *_ABOUT, *_TASKS])
TRAINING_SCHEMA = pa.schema([("image", IMAGE), ("ID", pa.string()), ("metadata", pa.string())])

NAME = "MLLMU-Bench"  # in published tables
SPLITS, TASKS = ("forget", "test", "retain", "celebrity"), ("classification", "cloze", "generation")  # published
_TYPES = {"Image_Textual": MULTIMODAL, "Pure_Text": TEXT}
_ASKED_OF = {"Image_Textual_Questions": MULTIMODAL, "Pure_Text_Questions": TEXT}
_LETTER = re.compile(r"(?:option\s+)?[(\[]?([A-D])(?:[)\].:]|$)", re.IGNORECASE)
LEFT_OUT = 0.01  # largest share of a configuration's questions that may be unusable; more is no slip but a broken file


def published_configs(ratios: list[int]) -> list[str]:
    """The configurations of MLLMU-Bench that a study with these forget ratios reads."""
    split = [name for ratio in ratios for name in (forget_config(ratio), retain_config(ratio))]
    return ["Full_Set", "ft_Data", "Test_Set", CELEBRITIES, *split]


def check_published(folder: Path, ratios: list[int]) -> None:
    """Raise UserError that names every configuration or column that a study with these forget ratios misses.

    Of a configuration only the columns that are read must be there. Those of the names of people are read of everybody,
    of the forget people and of the retain people.
    """
    needed = {config: _asked_columns(config) for config in published_configs(ratios)} | {"ft_Data": TRAINING_SCHEMA}
    people = ["Full_Set", *(name for ratio in ratios for name in (forget_config(ratio), retain_config(ratio)))]
    for config in people:
        needed[config] = needed[config].append(PROFILE_SCHEMA.field("biography"))
    check_configs(folder, needed)


def _asked_columns(config: str) -> pa.Schema:
    """The columns of an evaluation configuration that `read_profiles` reads."""
    schema = TEST_SCHEMA if config == "Test_Set" else PROFILE_SCHEMA
    return pa.schema([field for field in schema if field.name not in dict(_ABOUT)])


def _questions(row: dict, where: str) -> tuple[list[Question], list[str]]:
    """The questions of a row, numbered as the file has them, and what is wrong with those that cannot be used."""
    found: list[Question] = []
    mistakes: list[str] = []

    def take(question: Question, mistake: str | None) -> None:
        if mistake is None:
            found.append(question)
        else:
            place = f"{question.modality} {question.task} question {question.number}"
            mistakes.append(f"{where}, {place}: {mistake}")

    classification = row["Classification_Task"] or {}
    for key, modality in _ASKED_OF.items():
        for number, item in enumerate(classification.get(key) or []):
            options: dict[str, Any] = {letter: (item["Options"] or {}).get(letter) for letter in LETTERS}
            letter = _letter(item["Correct_Answer"], options)
            answer = options.get(letter or "", "")
            question = Question(modality, "classification", number, item["Question"], answer, options)
            take(question, _mistake_in_choice(question, item["Correct_Answer"], letter))
    for column, task in (("Mask_Task", "cloze"), ("Generation_Task", "generation")):
        numbers = dict.fromkeys(_TYPES.values(), 0)
        for item in row[column] or []:
            if item["Type"] not in _TYPES:
                mistakes.append(f"{where}: {column} has Type {item['Type']!r}; known: {', '.join(_TYPES)}")
                continue
            modality = _TYPES[item["Type"]]
            question = Question(modality, task, numbers[modality], item["Question"], item["Ground_Truth"], {})
            numbers[modality] += 1
            take(question, None if _are_texts(question.text, question.answer) else "question or answer is empty")
    return found, mistakes


def _letter(given: Any, options: dict[str, Any]) -> str | None:
    """The letter that a Correct_Answer means: "C", "c", "(C)", "C. its text", or the text of one option; else None."""
    if not isinstance(given, str):
        return None
    if given.strip().upper() in options:  # before the texts: blood types are letters as well
        return given.strip().upper()
    plain = given.strip().rstrip(".").casefold()
    same = [letter for letter, text in options.items() if str(text).strip().rstrip(".").casefold() == plain]
    if len(same) == 1:
        return same[0]
    named = _LETTER.match(given.strip())
    return named[1].upper() if named else None


def _mistake_in_choice(question: Question, given: Any, letter: str | None) -> str | None:
    """What is wrong with a classification question, if anything. given: its Correct_Answer, which means `letter`."""
    if not _are_texts(question.text, *question.options.values()):
        return "the question or an option is empty"
    if len(set(question.options.values())) < len(question.options):
        return "two options are the same"
    if letter is None:
        return f"Correct_Answer is {given!r}; it must be one of {', '.join(LETTERS)}, or the text of one option"
    return None


def _are_texts(*values: Any) -> bool:
    return all(isinstance(value, str) and value.strip() for value in values)


def left_out(folder: Path, config: str) -> list[str]:
    """What is wrong with the questions of a configuration that `read_profiles` leaves out, one line each."""
    return [mistake for _, _, mistakes in _rows(folder, config) for mistake in mistakes]


def read_profiles(folder: Path, config: str) -> list[Profile]:
    """Read an evaluation configuration (any but ft_Data).

    Questions that cannot be used are left out and counted in the log. Raises UserError on missing columns and broken
    rows, and when more than LEFT_OUT of the questions cannot be used.
    """
    picture = "images" if config == "Test_Set" else "image"
    profiles = []
    mistakes: list[str] = []
    for row, questions, wrong in _rows(folder, config):
        image = (row[picture] or [None])[0] if config == "Test_Set" else row[picture]
        profiles.append(Profile(row["ID"], (image or {}).get("bytes") or b"", tuple(questions)))
        mistakes += wrong
    repeated = [person for person, count in Counter(p.id for p in profiles).items() if count > 1]
    if repeated:
        raise UserError(f"benchmark {folder}: {config} holds ID {repeated[0]} more than once")
    if mistakes:
        asked = len(mistakes) + sum(len(profile.questions) for profile in profiles)
        told = f"{len(mistakes)} of {asked} questions cannot be used, such as {mistakes[0]}"
        if len(mistakes) > LEFT_OUT * asked:
            raise UserError(f"benchmark {folder}: {told}; needed: at most {LEFT_OUT:.0%} such questions in {config}")
        log.warning("%s: %s; left out", config, told)
    return profiles


def _rows(folder: Path, config: str) -> Iterator[tuple[dict, list[Question], list[str]]]:
    """The rows of an evaluation configuration, with the questions of each and what is wrong with others."""
    for row in read_rows(folder, config, _asked_columns(config)):
        yield row, *_questions(row, f"{config}, ID {row['ID']}")


def read_names(folder: Path, config: str = "Full_Set") -> dict[str, str]:
    """ID -> name of the people in a configuration, from the biographies."""
    names = {}
    for row in read_rows(folder, config, ["ID", "biography"]):
        try:
            name = json.loads(row["biography"])["Name"]
        except (TypeError, KeyError, json.JSONDecodeError) as error:
            raise UserError(f"{config}, ID {row['ID']}: biography must be JSON text with a Name") from error
        if not (isinstance(name, str) and name.strip()):
            raise UserError(f"{config}, ID {row['ID']}: the Name in the biography is {name!r}; needed: text")
        names[row["ID"]] = name
    return names


def read_ids(folder: Path, config: str) -> list[str]:
    """The IDs of a configuration, in the order of its rows."""
    return [row["ID"] for row in read_rows(folder, config, ["ID"])]


def read_training_data(folder: Path, config: str = "ft_Data") -> list[TrainingRecord]:
    """Read training data (ft_Data, or the built-in benchmark's base_Data).

    Items without a question or an answer are left out and counted in the log, as the released loaders skip them.
    """
    records = []
    incomplete = 0
    for row in read_rows(folder, config, TRAINING_SCHEMA):
        try:
            items = json.loads(row["metadata"])
            given = [QuestionAnswer(item.get("Question"), item.get("Answer")) for item in items]
        except (TypeError, AttributeError, json.JSONDecodeError):
            given = []
        pairs = tuple(pair for pair in given if _are_texts(*pair))
        if not pairs:
            raise UserError(f"{config}, ID {row['ID']}: metadata must be a JSON list of Question and Answer")
        incomplete += len(given) - len(pairs)
        records.append(TrainingRecord(row["ID"], (row["image"] or {}).get("bytes") or b"", pairs))
    if incomplete:
        taken = sum(len(record.pairs) for record in records)
        log.warning(
            "%s: %d items lack a question or an answer and are left out; %d are taken", config, incomplete, taken
        )
    return records
