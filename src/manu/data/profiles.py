"""What every benchmark is read into: people with their questions, lessons, and the names of its sets of people.

The names are those of MLLMU-Bench's configurations; a reader of another format finds its own files by them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from manu.core.words import MULTIMODAL, TEXT
from manu.data.prompts import LETTERS, text_view

CELEBRITIES = "Retain_Set"  # MLLMU-Bench keeps the public figures under this name
UNSEEN = "Unseen_Set"  # people whom no model is ever taught
TUNING = 0  # stands for a forget ratio where those are meant on whom hyperparameters are chosen


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

    A person who is asked about with several pictures has a profile for each.
    """

    id: str
    image: bytes
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class TrainingRecord:
    """One row of training data: question-answer pairs, and the picture that they go with.

    modality: the only one they are taught in, without a picture if it is text; None: the pairs are in the picture view,
    and are taught in plain text as well.
    """

    id: str
    image: bytes | None
    pairs: tuple[tuple[str, str], ...]
    modality: str | None = None


def views(question: str, name: str | None, modality: str | None = None) -> dict[str, str]:
    """A taught question in the words of each modality that it is taught in; in plain text the person is called `name`.

    modality: of its lesson.
    """
    if modality:
        return {modality: question}
    in_text = text_view(question, name) if name else None
    return {MULTIMODAL: question} | ({TEXT: in_text} if in_text is not None else {})


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


def lettered(right: str, wrong: Iterable[str], rng: np.random.Generator) -> dict[str, str]:
    """Options of a classification question by letter: `right` and some of the others, drawn and shuffled.

    Raises ValueError when `wrong` has too few that differ from it and from each other.
    """
    others = [each for each in dict.fromkeys(wrong) if each != right]
    if len(others) < len(LETTERS) - 1:
        raise ValueError(f"{len(others)} wrong answers beside {right!r}; needed: {len(LETTERS) - 1}")
    options = [right, *(others[i] for i in rng.permutation(len(others))[: len(LETTERS) - 1])]
    return dict(zip(LETTERS, (options[i] for i in rng.permutation(len(LETTERS)))))
