"""What a reader returns for every benchmark: people with questions, training records, and the names of the sets.

The sets have the names of MLLMU-Bench's configurations; the reader of another format maps them to its own files.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from manu.core.words import MULTIMODAL, TEXT
from manu.data.prompts import LETTERS, text_view

CELEBRITIES = "Retain_Set"  # MLLMU-Bench keeps the public figures under this name
UNSEEN = "Unseen_Set"  # people in no training data
ANCHOR = "Anchor_Set"  # others in none, whose questions hold a model near vanilla (manu.unlearning.anchor)
TUNING = 0  # in place of a forget ratio: the people on whom hyperparameters are chosen


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
    """One person of an evaluation set: PNG or JPEG bytes of the picture, and the questions.

    A person with several pictures has one profile per picture.
    """

    id: str
    image: bytes
    questions: tuple[Question, ...]


class QuestionAnswer(NamedTuple):
    """A question and its answer in training data."""

    question: str
    answer: str


@dataclass(frozen=True)
class TrainingRecord:
    """One row of training data: question-answer pairs about one person, and the picture.

    modality: the only one in which the pairs are trained (text: without a picture). None: the questions refer to the
    picture, and `views` makes a plain-text version of each.
    """

    id: str
    image: bytes | None
    pairs: tuple[QuestionAnswer, ...]
    modality: str | None = None


def views(question: str, name: str | None, modality: str | None = None) -> dict[str, str]:
    """Modality -> the question of a training record in that modality; in plain text `name` replaces the pointer.

    modality: of the record.
    """
    if modality:
        return {modality: question}
    in_text = text_view(question, name) if name else None
    return {MULTIMODAL: question} | ({TEXT: in_text} if in_text is not None else {})


def forget_config(ratio: int) -> str:
    """The configuration of the forget set at `ratio` percent, or of the trials at TUNING."""
    return "forget_tuning" if ratio == TUNING else f"forget_{ratio}"


def retain_config(ratio: int) -> str:
    """The configuration of the retain set at `ratio` percent, or of the trials at TUNING."""
    return "retain_tuning" if ratio == TUNING else f"retain_{100 - ratio}"


def celebrity_config(ratio: int) -> str:
    """The configuration of the public figures, the same at every ratio; at TUNING the public figures of the trials."""
    return "celebrity_tuning" if ratio == TUNING else CELEBRITIES


def retain_people(ratio: int) -> tuple[str, ...]:
    """The configurations whose training records a method may use as retain data.

    At TUNING: the retain set of the trials and all of Full_Set, since a trial too forgets a few people of many.
    """
    return ("Full_Set", retain_config(TUNING)) if ratio == TUNING else (retain_config(ratio),)


def lettered(right: str, wrong: Iterable[str], rng: np.random.Generator) -> dict[str, str]:
    """Letter -> option of a classification question: `right` and three drawn from `wrong`, shuffled.

    Raises ValueError when `wrong` has fewer than three distinct answers that differ from `right`.
    """
    others = [each for each in dict.fromkeys(wrong) if each != right]
    if len(others) < len(LETTERS) - 1:
        raise ValueError(f"{len(others)} wrong answers beside {right!r}; needed: {len(LETTERS) - 1}")
    options = [right, *(others[i] for i in rng.permutation(len(others))[: len(LETTERS) - 1])]
    return dict(zip(LETTERS, (options[i] for i in rng.permutation(len(LETTERS))), strict=True))
