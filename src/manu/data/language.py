"""Real language: passages of prose and sentences to complete, of general knowledge and about no person.

The texts in data/language/ were written for this project. A study with the split `language` has them as one more
configuration of its benchmark; they measure whether a model keeps the language of its pretraining.
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
    """Write the configuration from the texts in the folder `source`; return its number of rows.

    passages.txt: one passage a line. sentences.csv: columns sentence (its end missing), right, wrong_1, wrong_2 and
    wrong_3; the seeded order of the options puts the right one equally often at each place.
    Raises UserError on a sentence without four different options.
    """
    rng = np.random.default_rng(seed)
    rows = [
        {"ID": f"passage-{number:03d}", "text": text, "options": [], "answer": ""}
        for number, text in enumerate((source / PASSAGES).read_text(encoding="utf-8").splitlines(), start=1)
    ]
    with (source / SENTENCES).open(encoding="utf-8", newline="") as file:
        sentences = list(csv.DictReader(file))
    places = rng.permutation(len(sentences)) % len(LETTERS)
    for number, (sentence, place) in enumerate(zip(sentences, places, strict=True), start=1):
        wrong = [sentence[f"wrong_{k}"] for k in range(1, len(LETTERS))]
        options = [wrong[k] for k in rng.permutation(len(wrong))]
        options.insert(place, sentence["right"])
        if not all(options) or len(set(options)) < len(LETTERS):
            raise UserError(f"{source / SENTENCES}, sentence {number}: needed: {len(LETTERS)} different options")
        rows.append(
            {
                "ID": f"sentence-{number:03d}",
                "text": sentence["sentence"],
                "options": options,
                "answer": sentence["right"],
            }
        )
    write_config(folder, CONFIG, rows, SCHEMA)
    return len(rows)


def read_language(folder: Path) -> list[Profile]:
    """The configuration as profiles with one question and no picture; the answer of a passage is the passage."""
    profiles = []
    for row in read_rows(folder, CONFIG, SCHEMA.names):
        options = dict(zip(LETTERS, row["options"], strict=False))  # a passage has none
        task, text, answer = (COMPLETION, row["text"], row["answer"]) if options else (PASSAGE, "", row["text"])
        profiles.append(Profile(row["ID"], b"", (Question(TEXT, task, 0, text, answer, options),)))
    return profiles
