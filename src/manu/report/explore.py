"""All questions and replies of a study as one HTML page without other files: data in, text out.

The page has a list of all strings, each once, and columns of places in that list, since many replies are the same. The
same data give the same page. The page's script shows every string as text, never as markup.
"""

import base64
import io
import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from manu.analysis.cells import row_order
from manu.core.errors import UserError
from manu.core.pictures import opened
from manu.data.reading import read_names
from manu.evaluation.metrics import METRICS
from manu.evaluation.questions import SOURCES, read_split, split_config
from manu.evaluation.vocabulary import SPLITS
from manu.report.chains import run_id, seed_id
from manu.report.rendering import allowed, environment, own

_ASKED = (
    "forget_ratio",
    "split",
    "modality",
    "task",
    "profile_id",
    "question_id",
    "prompt",
    "reference",
    "options",
)
NEEDED = ("model", "method", "seed", *_ASKED, "reply", "choice", "option_log_likelihoods", "correct", "rougeL")
MEASURES = {  # task -> the metric by which the page shows a reply
    "classification": "accuracy",
    "cloze": "accuracy",
    "completion": "accuracy",
    "generation": "rougeL",
    "passage": "log_perplexity",
}
SIDE = 96  # pixels; larger portraits are scaled down
NONE = -1  # no place in a list
_DECIMALS = 4


@dataclass(frozen=True)
class Person:
    """A person that questions are about: name, and the bytes of the pictures by split, if there are any."""

    name: str
    pictures: Mapping[str, bytes]


def read_people(benchmark: Path, asked: Iterable[tuple[str, int]]) -> dict[str, Person]:
    """The people of these splits, each at a forget ratio, by `person_key`; in the split language a text stands for a
    person."""
    pictures: dict[str, dict[str, bytes]] = {}
    names: dict[str, str] = {}
    for split, ratio in asked:
        known = read_names(benchmark, split_config(split, ratio)) if split != "language" else {}
        for profile in read_split(benchmark, split, ratio):
            key = person_key(split, profile.id)
            names[key] = known.get(profile.id, profile.id)
            pictures.setdefault(key, {}).setdefault(split, profile.image)
    return {key: Person(name, pictures[key]) for key, name in names.items()}


def explorer(
    study: str, methods: Sequence[str], answers: Mapping[str, pd.DataFrame], people: Mapping[str, Person]
) -> str:
    """The page's HTML.

    methods: in the study's order; answers: file -> its rows (columns NEEDED); people: by `person_key`.
    Raises UserError on a question about a person who is not in `people`.
    """
    script = own("explore.js")
    text = json.dumps(content(study, methods, answers, people), ensure_ascii=False, indent=0, separators=(",", ":"))
    return (
        environment()
        .get_template("explore.html.j2")
        .render(
            study=study,
            style=own("style.css") + own("explore.css"),
            script=script,
            script_hash=allowed(script),
            content=text.replace("<", "\\u003c"),  # the data cannot close its element
        )
    )


def person_key(split: str, profile: str) -> str:
    """A person's key in the page: "<set>/<id>". The Test set is about the people of the forget set."""
    return f"{SOURCES['forget' if split == 'test' else split]}/{profile}"


def content(
    study: str, methods: Sequence[str], answers: Mapping[str, pd.DataFrame], people: Mapping[str, Person]
) -> dict:
    """The data of the page's script.

    texts: every string once; the other parts hold its place. people: key, name, picture (data address), second (the
    picture of the Test set). groups: forget ratio -> split -> places of its people. questions: a column per property.
    replies: every different (reply, choice, score, shares) once; score: by MEASURES, null if undefined; shares: by
    `option_shares`. runs: each with its file, and for every question the place of the reply, NONE if the run has none.
    """
    texts, replies = _Places(), _Places()
    asked = pd.concat([rows[[*_ASKED]] for rows in answers.values()]).drop_duplicates(["forget_ratio", "question_id"])
    asked["person"] = [person_key(*pair) for pair in zip(asked["split"], asked["profile_id"], strict=True)]
    keys = set(asked["person"])
    shown = [key for key in people if key in keys]
    if len(shown) < len(keys):
        unknown = asked.loc[~asked["person"].isin(shown), "question_id"].iloc[0]
        raise UserError(f"question {unknown} is about a person who is not in the benchmark")
    place_of = {key: place for place, key in enumerate(shown)}
    questions = asked.drop_duplicates("question_id")
    order = list(questions["question_id"])
    runs = [_run(file, rows, order, texts, replies) for file, rows in answers.items()]
    by_method = row_order(list(methods))
    runs.sort(key=lambda run: (run["model"], run["seed"], by_method.index(run["method"]), run["ratios"]))
    return {
        "study": study,
        "people": {
            "key": shown,
            "name": [people[key].name for key in shown],
            "picture": [_picture(people[key], *(split for split in SPLITS if split != "test")) for key in shown],
            "second": [_picture(people[key], "test") for key in shown],
        },
        "groups": {str(ratio): _groups(rows, place_of) for ratio, rows in asked.groupby("forget_ratio")},
        "questions": {
            "id": order,
            "person": [place_of[key] for key in questions["person"]],
            "test": [int(split == "test") for split in questions["split"]],
            **{
                column: [texts.place(text) for text in questions[column]]
                for column in ("modality", "task", "prompt", "reference")
            },
            "options": [[texts.place(text) for text in json.loads(listed or "[]")] for listed in questions["options"]],
        },
        "replies": {
            column: [reply[number] for reply in replies.listed()]
            for number, column in enumerate(("reply", "choice", "score", "shares"))
        },
        "runs": runs,
        "texts": texts.listed(),
    }


def _groups(asked: pd.DataFrame, place_of: Mapping[str, int]) -> dict[str, list[int]]:
    """Split -> places of its people."""
    keys = {split: rows["person"].unique() for split, rows in asked.groupby("split")}
    return {split: sorted(place_of[key] for key in keys[split]) for split in SPLITS if split in keys}


class _Places:
    """A list without repetitions; a value's place is the one of its first appearance."""

    def __init__(self) -> None:
        self._places: dict[Hashable, int] = {}

    def place(self, value: Hashable) -> int:
        return self._places.setdefault(value, len(self._places))

    def listed(self) -> list[Any]:
        return list(self._places)


def _run(file: str, rows: pd.DataFrame, order: Sequence[str], texts: _Places, replies: _Places) -> dict:
    """One file of answers: its keys, and the place of its reply to each question in `order`."""
    model, method, seed = (rows[key].iloc[0] for key in ("model", "method", "seed"))
    ratios = sorted(int(ratio) for ratio in rows["forget_ratio"].unique())
    once = rows.drop_duplicates("question_id")  # forget ratios share questions, which the model answered once
    shares = map(
        option_shares, once["option_log_likelihoods"].where(once["choice"] != "", "")
    )  # a passage's are tokens'
    columns = (once["question_id"], once["reply"], once["choice"], _scores(once), shares)
    placed = {
        question: replies.place((texts.place(reply), texts.place(choice) if choice else NONE, score, share))
        for question, reply, choice, score, share in zip(*columns, strict=True)
    }
    return {
        "model": model,
        "method": method,
        "seed": int(seed),
        "ratios": ratios,
        "file": file,
        "chain": seed_id(run_id(model, [str(ratio) for ratio in ratios], method), str(seed)),
        "replies": [placed.get(question, NONE) for question in order],
    }


def option_shares(log_likelihoods: str) -> tuple[int, ...]:
    """Each option's share of the likelihood of all options, in whole percent; empty where none was measured.

    log_likelihoods: a JSON list, or "".
    """
    likelihoods = np.array(json.loads(log_likelihoods or "[]"))
    weights = np.exp(likelihoods - likelihoods.max(initial=-np.inf))
    return tuple(round(100 * weight) for weight in (weights / weights.sum()).tolist())


def _scores(rows: pd.DataFrame) -> list[float | None]:
    """Each answer's value by the measure of its task, rounded."""
    measured = pd.Series(float("nan"), index=rows.index)
    for task, metric in MEASURES.items():
        column = METRICS[metric].column
        if column in rows:
            measured = measured.where(rows["task"] != task, rows[column])
    return [None if math.isnan(value) else round(value, _DECIMALS) for value in measured]


def _picture(person: Person, *splits: str) -> str:
    """The first of a person's pictures for these splits as a data address, at most SIDE pixels wide; "" if none."""
    data = next((person.pictures[split] for split in splits if person.pictures.get(split)), None)
    if data is None:
        return ""
    with Image.open(io.BytesIO(data)) as image:
        as_it_is = image.format == "PNG" and image.mode == "RGB" and max(image.size) <= SIDE
    if not as_it_is:
        small = opened(data)
        small.thumbnail((SIDE, SIDE))
        data = _png(small)
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
