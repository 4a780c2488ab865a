"""MLLMU-Bench's files: the schema, a reader and a writer.

One folder per configuration (Full_Set, ft_Data, Test_Set, Retain_Set, forget_5, retain_95, ...), each
with parquet files, as on the hub (dataset MLLMMU/MLLMU-Bench). The built-in benchmark is written in
the same columns, so one reader serves both. A benchmark's folder holds its configurations, or the manifest of
one that was fetched. In MLLMU-Bench the configuration named Retain_Set holds
the public figures; the retain people are in retain_<100 - ratio>.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from manu.data.prompts import LETTERS
from manu.errors import UserError
from manu.fetching.manifest import located
from manu.files import atomic_path

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
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

PROFILE_SCHEMA = pa.schema([("image", _IMAGE), ("ID", pa.string()), *_ABOUT, *_TASKS])
TEST_SCHEMA = pa.schema([("images", pa.list_(_IMAGE)), ("ID", pa.string()), *_ABOUT, *_TASKS])
TRAINING_SCHEMA = pa.schema([("image", _IMAGE), ("ID", pa.string()), ("metadata", pa.string())])

CELEBRITIES = "Retain_Set"  # MLLMU-Bench keeps the public figures under this name
UNSEEN = "Unseen_Set"  # people whom no model is ever taught
TUNING = 0  # stands for a forget ratio where those are meant on whom hyperparameters are chosen
MULTIMODAL, TEXT = "multimodal", "text"
_TYPES = {"Image_Textual": MULTIMODAL, "Pure_Text": TEXT}
_FILE = "train-00000-of-00001.parquet"


@dataclass(frozen=True)
class Question:
    """One benchmark question. `options` maps letters to texts for classification and is empty otherwise."""

    modality: str
    task: str
    number: int
    text: str
    answer: str
    options: dict[str, str]


@dataclass(frozen=True)
class Profile:
    """One person of an evaluation set: PNG or JPEG bytes of the picture, and the questions."""

    id: str
    image: bytes
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Lesson:
    """One row of training data: a picture and question-answer pairs in the picture view."""

    id: str
    image: bytes
    pairs: tuple[tuple[str, str], ...]


def forget_config(ratio: int) -> str:
    """The configuration of the people to be forgotten at `ratio` percent; of the tuning people at TUNING."""
    return "forget_tuning" if ratio == TUNING else f"forget_{ratio}"


def retain_config(ratio: int) -> str:
    """The configuration of everybody else; at TUNING of the other tuning people."""
    return "retain_tuning" if ratio == TUNING else f"retain_{100 - ratio}"


def celebrity_config(ratio: int) -> str:
    """The configuration of the public figures, the same at every ratio; at TUNING of those of the trials."""
    return "celebrity_tuning" if ratio == TUNING else CELEBRITIES


def retain_people(ratio: int) -> tuple[str, ...]:
    """The configurations of those whose lessons a method may use as retain data: everybody else.

    At TUNING these are the other tuning people and all of Full_Set: a trial forgets a few of many, as the study does.
    """
    return ("Full_Set", retain_config(TUNING)) if ratio == TUNING else (retain_config(ratio),)


def published_configs(ratios: list[int]) -> list[str]:
    """The configurations of MLLMU-Bench that a study with these forget ratios reads."""
    split = [name for ratio in ratios for name in (forget_config(ratio), retain_config(ratio))]
    return ["Full_Set", "ft_Data", "Test_Set", CELEBRITIES, *split]


def check_published(folder: Path, ratios: list[int]) -> None:
    """Raise UserError that names every configuration or column that a study with these forget ratios misses."""
    needed = published_configs(ratios)
    absent = [config for config in needed if not _parquet_files(folder, config)]
    if absent:
        raise UserError(f"benchmark {folder}: no parquet file in {', '.join(absent)}; needed: {', '.join(needed)}")
    schemas = {"ft_Data": TRAINING_SCHEMA, "Test_Set": TEST_SCHEMA}
    for config in needed:
        columns = [name for name in schemas.get(config, PROFILE_SCHEMA).names if name not in ("question", "answer")]
        for file in _parquet_files(folder, config):
            _check_columns(file, columns)


def config_file(folder: Path, config: str) -> Path:
    """Where the built-in benchmark keeps a configuration."""
    return Path(folder) / config / _FILE


def write_config(folder: Path, config: str, rows: list[dict], schema: pa.Schema) -> None:
    """Write one configuration atomically."""
    with atomic_path(config_file(folder, config)) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)


def _parquet_files(folder: Path, config: str) -> list[Path]:
    return sorted((Path(folder) / config).glob("*.parquet"))


def _check_columns(file: Path, columns: list[str]) -> None:
    try:
        present = pq.read_schema(file).names
    except pa.ArrowInvalid as error:
        raise UserError(f"{file}: not a readable parquet file ({str(error).splitlines()[0]})") from error
    missing = [column for column in columns if column not in present]
    if missing:
        raise UserError(f"{file}: column {missing[0]!r} is missing; it has {', '.join(present)}")


def read_rows(folder: Path, config: str, columns: list[str]) -> list[dict]:
    """The rows of a configuration, with these columns. Raises UserError when it, a column or a row is missing."""
    folder = located(folder)
    files = _parquet_files(folder, config)
    if not files:
        raise UserError(f"benchmark {folder}: no parquet file in {config}/; each configuration is a folder of them")
    rows = []
    for file in files:
        _check_columns(file, columns)
        rows += pq.read_table(file, columns=columns).to_pylist()
    if not rows:
        raise UserError(f"benchmark {folder}: {config} holds no rows")
    return rows


def _questions(row: dict, where: str) -> tuple[Question, ...]:
    found = []
    classification = row["Classification_Task"]
    for key, modality in (("Image_Textual_Questions", MULTIMODAL), ("Pure_Text_Questions", TEXT)):
        for number, item in enumerate(classification[key] or []):
            options = {letter: item["Options"][letter] for letter in LETTERS}
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
    rows = read_rows(folder, config, [picture, "ID", *(name for name, _ in _TASKS)])
    profiles = []
    for row in rows:
        image = row[picture][0] if config == "Test_Set" else row[picture]
        profiles.append(Profile(row["ID"], image["bytes"], _questions(row, f"{config}, ID {row['ID']}")))
    repeated = [person for person, count in Counter(p.id for p in profiles).items() if count > 1]
    if repeated:
        raise UserError(f"benchmark {folder}: {config} holds ID {repeated[0]} more than once")
    return profiles


def read_names(folder: Path, *configs: str, without: Iterable[str] = ()) -> dict[str, str]:
    """ID -> name of the people in `configs` (in Full_Set if none is given) and in none of `without`, from the
    biographies."""
    names, others = {}, _ids_of(folder, without)
    for config in configs or ("Full_Set",):
        for row in read_rows(folder, config, ["ID", "biography"]):
            try:
                names[row["ID"]] = json.loads(row["biography"])["Name"]
            except (TypeError, KeyError, json.JSONDecodeError) as error:
                raise UserError(f"{config}, ID {row['ID']}: biography must be JSON text with a Name") from error
    return {person: name for person, name in names.items() if person not in others}


def read_ids(folder: Path, config: str) -> list[str]:
    """The IDs of a configuration, in its order."""
    return [row["ID"] for row in read_rows(folder, config, ["ID"])]


def read_lessons(folder: Path, config: str = "ft_Data") -> list[Lesson]:
    """Read training data (ft_Data, or the built-in benchmark's base_Data)."""
    lessons = []
    for row in read_rows(folder, config, TRAINING_SCHEMA.names):
        try:
            pairs = tuple((item["Question"], item["Answer"]) for item in json.loads(row["metadata"]))
        except (TypeError, KeyError, json.JSONDecodeError) as error:
            raise UserError(
                f"{config}, ID {row['ID']}: metadata must be a JSON list of Question and Answer"
            ) from error
        lessons.append(Lesson(row["ID"], row["image"]["bytes"], pairs))
    return lessons


def read_lessons_of(folder: Path, *configs: str, without: Iterable[str] = ()) -> list[Lesson]:
    """The training data of the people in `configs`, such as forget_5, and in none of `without`."""
    ids = _ids_of(folder, configs) - _ids_of(folder, without)
    return [lesson for lesson in read_lessons(folder) if lesson.id in ids]


def _ids_of(folder: Path, configs: Iterable[str]) -> set[str]:
    return {name for config in configs for name in read_ids(folder, config)}
