"""Every question of a study and every reply to it as one HTML page that needs nothing else: data in, text out.

The page holds columns of places in a list in which each string stands once: the same words were said many times.
The same data give the same text, and the page's script shows all of it as text, whatever it holds.
"""

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from PIL import Image

from manu.analysis.cells import row_order
from manu.core.errors import UserError
from manu.evaluation.metrics import METRICS
from manu.evaluation.questions import SOURCES
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
NEEDED = ("model", "method", "seed", *_ASKED, "reply", "choice", "correct", "rougeL")
MEASURES = {  # task -> the metric by which the page shows a reply
    "classification": "accuracy",
    "cloze": "accuracy",
    "completion": "accuracy",
    "generation": "rougeL",
    "passage": "log_perplexity",
}
SIDE = 96  # pixels: a larger portrait is made smaller
NONE = -1  # stands for no place in a list
_DECIMALS = 4


@dataclass(frozen=True)
class Person:
    """Somebody who is asked about: the name, and the bytes of the pictures by split; none of who has no picture."""

    name: str
    pictures: Mapping[str, bytes]


def explorer(
    study: str, methods: Sequence[str], answers: Mapping[str, pd.DataFrame], people: Mapping[str, Person]
) -> str:
    """The page's HTML.

    methods: in the study's order; answers: file -> its rows (columns NEEDED); people: by `person_key`.
    Raises UserError on a question about nobody of `people`.
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
            content=text.replace("<", "\\u003c"),  # no end of the element that holds it
        )
    )


def person_key(split: str, profile: str) -> str:
    """The name that a person has in the page. The Test set shows the people to be forgotten anew: they stand once."""
    return f"{SOURCES['forget' if split == 'test' else split]}/{profile}"


def content(
    study: str, methods: Sequence[str], answers: Mapping[str, pd.DataFrame], people: Mapping[str, Person]
) -> dict:
    """What the page's script reads.

    texts: every string once; elsewhere stands its place. people: key, name, picture (data URI), second (that of the
    test set). groups: forget ratio -> split -> places of its people. questions: a column for each property.
    replies: every different (reply, choice, score) once; score: by MEASURES, null where there is none.
    runs: each with its file, and of every question the place of its reply, NONE where it was not asked.
    """
    texts, replies = _Places(), _Places()
    asked = pd.concat([rows[[*_ASKED]] for rows in answers.values()]).drop_duplicates(["forget_ratio", "question_id"])
    asked["person"] = [person_key(*each) for each in zip(asked["split"], asked["profile_id"], strict=True)]
    there = set(asked["person"])
    shown = [key for key in people if key in there]
    if len(shown) < len(there):
        unknown = asked.loc[~asked["person"].isin(shown), "question_id"].iloc[0]
        raise UserError(f"question {unknown} is about nobody in the benchmark")
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
            for number, column in enumerate(("reply", "choice", "score"))
        },
        "runs": runs,
        "texts": texts.listed(),
    }


def _groups(asked: pd.DataFrame, place_of: Mapping[str, int]) -> dict[str, list[int]]:
    """Split -> places of its people."""
    keys = {split: rows["person"].unique() for split, rows in asked.groupby("split")}
    return {split: sorted(place_of[key] for key in keys[split]) for split in SPLITS if split in keys}


class _Places:
    """Things, each kept once, in the order in which they came."""

    def __init__(self) -> None:
        self._places: dict = {}

    def place(self, thing) -> int:
        return self._places.setdefault(thing, len(self._places))

    def listed(self) -> list:
        return list(self._places)


def _run(file: str, rows: pd.DataFrame, order: Sequence[str], texts: _Places, replies: _Places) -> dict:
    """One file of answers: its keys, and the place of its reply to each question in `order`."""
    model, method, seed = (rows[key].iloc[0] for key in ("model", "method", "seed"))
    ratios = sorted(int(ratio) for ratio in rows["forget_ratio"].unique())
    once = rows.drop_duplicates("question_id")  # a question that several forget ratios share was asked once
    columns = (once["question_id"], once["reply"], once["choice"], _scores(once))
    said = {
        question: replies.place((texts.place(reply), texts.place(choice) if choice else NONE, score))
        for question, reply, choice, score in zip(*columns, strict=True)
    }
    return {
        "model": model,
        "method": method,
        "seed": int(seed),
        "ratios": ratios,
        "file": file,
        "chain": seed_id(run_id(model, [str(ratio) for ratio in ratios], method), str(seed)),
        "replies": [said.get(question, NONE) for question in order],
    }


def _scores(rows: pd.DataFrame) -> list[float | None]:
    """Each answer's value by its task's measure, rounded."""
    measured = pd.Series(float("nan"), index=rows.index)
    for task, metric in MEASURES.items():
        column = METRICS[metric].column
        if column in rows:
            measured = measured.where(rows["task"] != task, rows[column])
    return [None if math.isnan(value) else round(value, _DECIMALS) for value in measured]


def _picture(person: Person, *splits: str) -> str:
    """The first of a person's pictures for these splits as a data URI, no larger than SIDE; "" if there is none."""
    data = next((person.pictures[split] for split in splits if person.pictures.get(split)), None)
    if data is None:
        return ""
    with Image.open(io.BytesIO(data)) as image:
        if image.format != "PNG" or max(image.size) > SIDE:
            small = image.convert("RGB")
            small.thumbnail((SIDE, SIDE))
            data = _png(small)
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
