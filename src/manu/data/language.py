"""Real language: prose to be read and sentences to be completed, of general knowledge and about nobody.

The texts are in data/language/, written for this project. They go into the benchmark of a study that asks about
them, as one configuration of its own columns, and tell whether a model still has the language that it was pretrained
on.
"""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa

from manu.core.errors import UserError
from manu.data.parquet import read_rows, write_config
from manu.data.profiles import TEXT, Profile, Question
from manu.data.prompts import LETTERS

CONFIG = "Language_Set"
COMPLETION, PASSAGE = "completion", "passage"  # the two tasks
PASSAGES, SENTENCES = "passages.txt", "sentences.csv"
SCHEMA = pa.schema(
    [("ID", pa.string()), ("text", pa.string()), ("options", pa.list_(pa.string())), ("answer", pa.string())]
)


def generate_language(folder: Path, source: Path, seed: int) -> int:
    """Write the configuration from the texts in the folder `source`, and return its number of rows.

    passages.txt: one passage a line. sentences.csv: columns sentence (its end missing), right, wrong_1, wrong_2 and
    wrong_3; the options are put in a seeded order in which the right one comes equally often at each place.
    Raises UserError on a sentence without four different options.
    """
    rng = np.random.default_rng(seed)
    rows = [
        {"ID": f"passage-{number:03d}", "text": text, "options": [], "answer": ""}
        for number, text in enumerate((source / PASSAGES).read_text(encoding="utf-8").splitlines(), start=1)
    ]
    with open(source / SENTENCES, encoding="utf-8", newline="") as file:
        sentences = list(csv.DictReader(file))
    places = rng.permutation(len(sentences)) % len(LETTERS)
    for number, (each, place) in enumerate(zip(sentences, places, strict=True), start=1):
        wrong = [each[f"wrong_{k}"] for k in range(1, len(LETTERS))]
        options = [wrong[k] for k in rng.permutation(len(wrong))]
        options.insert(place, each["right"])
        if not all(options) or len(set(options)) < len(LETTERS):
            raise UserError(f"{source / SENTENCES}, sentence {number}: needed: {len(LETTERS)} different options")
        user_message = {"text": each["sentence"], "options": options, "answer": each["right"]}
        rows.append({"ID": f"sentence-{number:03d}", **user_message})
    write_config(folder, CONFIG, rows, SCHEMA)
    return len(rows)


def read_language(folder: Path) -> list[Profile]:
    """The configuration as profiles with one question and no picture; a passage is its own answer."""
    found = []
    for row in read_rows(folder, CONFIG, SCHEMA.names):
        options = dict(zip(LETTERS, row["options"]))
        task, text, answer = (COMPLETION, row["text"], row["answer"]) if options else (PASSAGE, "", row["text"])
        found.append(Profile(row["ID"], b"", (Question(TEXT, task, 0, text, answer, options),)))
    return found
