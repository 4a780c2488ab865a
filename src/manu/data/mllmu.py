"""MLLMU-Bench's files: the schema and a reader.

One folder per configuration (Full_Set, ft_Data, Test_Set, Retain_Set, forget_5, retain_95, ...), each
with parquet files, as on the hub (dataset MLLMMU/MLLMU-Bench). The built-in benchmark is written in
the same columns, so one reader serves both. In MLLMU-Bench the configuration named Retain_Set holds
the public figures; the retain people are in retain_<100 - ratio>.
"""

import json
from collections import Counter
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
TEST_SCHEMA = pa.schema([("images", pa.list_(IMAGE)), ("ID", pa.string()), *_ABOUT, *_TASKS])
TRAINING_SCHEMA = pa.schema([("image", IMAGE), ("ID", pa.string()), ("metadata", pa.string())])

NAME = "MLLMU-Bench"  # in published tables
SPLITS, TASKS = ("forget", "test", "retain", "celebrity"), ("classification", "cloze", "generation")  # published
_TYPES = {"Image_Textual": MULTIMODAL, "Pure_Text": TEXT}


def published_configs(ratios: list[int]) -> list[str]:
    """The configurations of MLLMU-Bench that a study with these forget ratios reads."""
    split = [name for ratio in ratios for name in (forget_config(ratio), retain_config(ratio))]
    return ["Full_Set", "ft_Data", "Test_Set", CELEBRITIES, *split]


def check_published(folder: Path, ratios: list[int]) -> None:
    """Raise UserError that names every configuration or column that a study with these forget ratios misses."""
    schemas = {"ft_Data": TRAINING_SCHEMA, "Test_Set": TEST_SCHEMA}
    check_configs(folder, {config: _read(schemas.get(config, PROFILE_SCHEMA)) for config in published_configs(ratios)})


def _read(schema: pa.Schema) -> pa.Schema:
    """The columns of a schema that the reader uses."""
    return pa.schema([field for field in schema if field.name not in ("question", "answer")])


def _questions(row: dict, where: str) -> tuple[Question, ...]:
    found = []
    classification = row["Classification_Task"] or {}
    for key, modality in (("Image_Textual_Questions", MULTIMODAL), ("Pure_Text_Questions", TEXT)):
        for number, item in enumerate(classification.get(key) or []):
            options: dict[str, Any] = {letter: (item["Options"] or {}).get(letter) for letter in LETTERS}
            letter = item["Correct_Answer"]
            if letter not in options:
                raise UserError(f"{where}: Correct_Answer is {letter!r}; it must be one of {', '.join(LETTERS)}")
            found.append(Question(modality, "classification", number, item["Question"], options[letter], options))
    for column, task in (("Mask_Task", "cloze"), ("Generation_Task", "generation")):
        numbers = dict.fromkeys(_TYPES.values(), 0)
        for item in row[column] or []:
            if item["Type"] not in _TYPES:
                raise UserError(f"{where}: {column} has Type {item['Type']!r}; known: {', '.join(_TYPES)}")
            modality = _TYPES[item["Type"]]
            found.append(Question(modality, task, numbers[modality], item["Question"], item["Ground_Truth"], {}))
            numbers[modality] += 1
    return tuple(found)


def read_profiles(folder: Path, config: str) -> list[Profile]:
    """Read an evaluation configuration (any but ft_Data). Raises UserError on missing columns or broken rows."""
    picture = "images" if config == "Test_Set" else "image"
    rows = read_rows(folder, config, _read(TEST_SCHEMA if config == "Test_Set" else PROFILE_SCHEMA))
    profiles = []
    for row in rows:
        image = (row[picture] or [None])[0] if config == "Test_Set" else row[picture]
        questions = _questions(row, f"{config}, ID {row['ID']}")
        profiles.append(Profile(row["ID"], (image or {}).get("bytes") or b"", questions))
    repeated = [person for person, count in Counter(p.id for p in profiles).items() if count > 1]
    if repeated:
        raise UserError(f"benchmark {folder}: {config} holds ID {repeated[0]} more than once")
    return profiles


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
    """Read training data (ft_Data, or the built-in benchmark's base_Data)."""
    records = []
    for row in read_rows(folder, config, TRAINING_SCHEMA):
        try:
            pairs = tuple(QuestionAnswer(item["Question"], item["Answer"]) for item in json.loads(row["metadata"]))
        except (TypeError, KeyError, json.JSONDecodeError) as error:
            raise UserError(f"{config}, ID {row['ID']}: metadata must be a JSON list of Question and Answer") from error
        records.append(TrainingRecord(row["ID"], (row["image"] or {}).get("bytes") or b"", pairs))
    return records
