"""What a model is taught: question-answer pairs with their pictures, drawn into batches epoch by epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from manu.core.errors import UserError
from manu.core.words import MODALITIES, MULTIMODAL, TEXT
from manu.data.profiles import TrainingRecord, views
from manu.data.prompts import cloze_prompt
from manu.models.base import VisionLanguageModel
from manu.models.inputs import Batch, Example, Pictures, training_batch


@dataclass(frozen=True)
class QuestionAnswer:
    """One question-answer pair in one modality, with all pictures that may accompany it (none for text)."""

    modality: str
    prompt: list[int]
    answer: list[int]
    pictures: tuple[int, ...]

    def draw(self, rng: np.random.Generator) -> Example:
        """An example with one of the pictures, drawn at random."""
        picture = self.pictures[rng.integers(len(self.pictures))] if self.pictures else None
        return Example(self.prompt, self.answer, picture)


class TrainingSet:
    """Lessons encoded for one adapter; each epoch sees every pair once, with a random one of the pictures it came with.

    Lessons added with a share below 1 are rehearsed: each epoch sees that share of their pairs, drawn anew.
    """

    def __init__(self, vlm: VisionLanguageModel, modalities: tuple[str, ...] = MODALITIES) -> None:
        self._adapter = vlm
        self.modalities = modalities
        self._pictures = Pictures(vlm)
        self._taught: list[tuple[float, list[QuestionAnswer]]] = []

    def add(
        self, lessons: list[TrainingRecord], names: dict[str, str], share: float = 1.0, paired: bool = False
    ) -> "TrainingSet":
        """Encode `lessons` and return self. People without an entry in `names` are asked with their picture only.

        With `paired`, questions that have no text view (who is this person?) are left out of both modalities; lessons
        of one modality have no such pairs, and stay.
        Raises UserError when no question of the curriculum's modalities is among them.
        """
        taught: dict[str, dict[tuple[str, str, str | None], list[int]]] = {}
        for lesson in lessons:
            rows = [] if lesson.image is None else [self._pictures.add(lesson.image, f"training data, ID {lesson.id}")]
            for pair in dict.fromkeys(lesson.pairs):
                taught.setdefault(lesson.id, {}).setdefault((*pair, lesson.modality), []).extend(rows)
        pairs: list[QuestionAnswer] = []
        for person, each in taught.items():
            for (question, answer, modality), pictures in each.items():
                words = views(question, names.get(person), modality)
                if not paired or modality or TEXT in words:
                    pairs += self._encode(words, answer, tuple(pictures))
        if not pairs:
            raise UserError(f"training data: no question is left for the modalities {', '.join(self.modalities)}")
        self._taught.append((share, pairs))
        return self

    def _encode(self, words: dict[str, str], answer: str, pictures: tuple[int, ...]) -> Iterator[QuestionAnswer]:
        answer_ids = self._adapter.answer_ids(answer)
        for modality, question in words.items():
            if modality in self.modalities:
                with_image = modality == MULTIMODAL
                prompt = self._adapter.prompt_ids(cloze_prompt(question, "bare"), with_image=with_image)
                yield QuestionAnswer(modality, prompt, answer_ids, pictures if with_image else ())

    def batches_per_epoch(self, batch_size: int, *modalities: str) -> int:
        """Number of batches that an epoch has, of the given modalities or of all."""
        return sum(-(-self._count(modality) // batch_size) for modality in modalities or self.modalities)

    def epoch(self, batch_size: int, rng: np.random.Generator) -> Iterator[tuple[str, Batch]]:
        """Every pair once, in shuffled batches of one modality each; yields (modality, batch)."""
        chunks: list[list[QuestionAnswer]] = []
        for modality in self.modalities:
            chunks += self._chunks(modality, batch_size, rng)
        for index in rng.permutation(len(chunks)):
            yield chunks[index][0].modality, self._batch(chunks[index], rng)

    def stream(self, modality: str, batch_size: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Shuffled batches of one modality, without end."""
        while True:
            for chunk in self._chunks(modality, batch_size, rng):
                yield self._batch(chunk, rng)

    def _count(self, modality: str) -> int:
        return sum(round(share * sum(p.modality == modality for p in pairs)) for share, pairs in self._taught)

    def _chunks(self, modality: str, batch_size: int, rng: np.random.Generator) -> list[list[QuestionAnswer]]:
        drawn: list[QuestionAnswer] = []
        for share, pairs in self._taught:
            mine = [pair for pair in pairs if pair.modality == modality]
            drawn += [mine[i] for i in rng.permutation(len(mine))[: round(share * len(mine))]]
        order = rng.permutation(len(drawn))
        return [[drawn[i] for i in order[k : k + batch_size]] for k in range(0, len(drawn), batch_size)]

    def _batch(self, pairs: list[QuestionAnswer], rng: np.random.Generator) -> Batch:
        return training_batch(self._adapter, [pair.draw(rng) for pair in pairs], self._pictures)
