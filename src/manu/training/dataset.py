"""Training sets: question-answer pairs with their pictures, drawn into batches epoch by epoch."""

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
    """Training records encoded for one model; each epoch sees every pair once, with one of its pictures at random.

    Records added with a share below 1 are rehearsed: each epoch sees that share of their pairs, drawn anew.
    """

    def __init__(self, vlm: VisionLanguageModel, modalities: tuple[str, ...] = MODALITIES) -> None:
        self._vlm = vlm
        self.modalities = modalities
        self._pictures = Pictures(vlm)
        self._pairs: list[tuple[float, list[QuestionAnswer]]] = []

    def add(
        self, records: list[TrainingRecord], names: dict[str, str], share: float = 1.0, paired: bool = False
    ) -> "TrainingSet":
        """Encode the records and return self. People without an entry in `names` are asked with their picture only.

        With `paired`, questions without a text view (who is this person?) are left out of both modalities; records of
        one modality have no such questions. Raises UserError when no question of the set's modalities is among them.
        """
        by_person: dict[str, dict[tuple[str, str, str | None], list[int]]] = {}
        for record in records:
            rows = [] if record.image is None else [self._pictures.add(record.image, f"training data, ID {record.id}")]
            for pair in dict.fromkeys(record.pairs):
                by_person.setdefault(record.id, {}).setdefault((*pair, record.modality), []).extend(rows)
        pairs: list[QuestionAnswer] = []
        for person, taught in by_person.items():
            for (question, answer, modality), pictures in taught.items():
                words = views(question, names.get(person), modality)
                if not paired or modality or TEXT in words:
                    pairs += self._encode(words, answer, tuple(pictures))
        if not pairs:
            raise UserError(f"training data: no question is left for the modalities {', '.join(self.modalities)}")
        self._pairs.append((share, pairs))
        return self

    def _encode(self, words: dict[str, str], answer: str, pictures: tuple[int, ...]) -> Iterator[QuestionAnswer]:
        answer_ids = self._vlm.answer_ids(answer)
        for modality, question in words.items():
            if modality in self.modalities:
                with_image = modality == MULTIMODAL
                prompt = self._vlm.prompt_ids(cloze_prompt(question, "bare"), with_image=with_image)
                yield QuestionAnswer(modality, prompt, answer_ids, pictures if with_image else ())

    def lengths(self, modality: str) -> list[tuple[int, int]]:
        """Tokens of the prompt and of the answer of every pair in a modality, a picture's own tokens included."""
        pairs = (pair for _, added in self._pairs for pair in added if pair.modality == modality)
        return [(len(pair.prompt), len(pair.answer)) for pair in pairs]

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

    def once(
        self, modality: str, batch_size: int, rng: np.random.Generator, limit: int | None = None
    ) -> Iterator[Batch]:
        """Shuffled batches of one modality, every pair once, or the first `limit` of them.

        Where every question has both modalities, generators of one seed give the same questions in both.
        """
        for start, chunk in enumerate(self._chunks(modality, batch_size, rng)):
            kept = chunk if limit is None else chunk[: max(0, limit - start * batch_size)]
            if not kept:
                return
            yield self._batch(kept, rng)

    def _count(self, modality: str) -> int:
        return sum(round(share * sum(p.modality == modality for p in pairs)) for share, pairs in self._pairs)

    def _chunks(self, modality: str, batch_size: int, rng: np.random.Generator) -> list[list[QuestionAnswer]]:
        drawn: list[QuestionAnswer] = []
        for share, pairs in self._pairs:
            mine = [pair for pair in pairs if pair.modality == modality]
            drawn += [mine[i] for i in rng.permutation(len(mine))[: round(share * len(mine))]]
        order = rng.permutation(len(drawn))
        return [[drawn[i] for i in order[k : k + batch_size]] for k in range(0, len(drawn), batch_size)]

    def _batch(self, pairs: list[QuestionAnswer], rng: np.random.Generator) -> Batch:
        return training_batch(self._vlm, [pair.draw(rng) for pair in pairs], self._pictures)
