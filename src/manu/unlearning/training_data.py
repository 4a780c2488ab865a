"""What a method learns from: batches about the forget people, each with the other batches that the method asks for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from manu.core.batch import Batch
from manu.core.words import MODALITIES, TEXT
from manu.data.profiles import forget_config, retain_people
from manu.data.reading import read_names, read_training_data_of
from manu.models.base import VisionLanguageModel
from manu.models.inputs import with_answer
from manu.training.dataset import TrainingSet
from manu.unlearning.base import Batches, TrainingMethod


def training_set(
    vlm: VisionLanguageModel,
    benchmark: Path,
    people: Sequence[str],
    modalities: tuple[str, ...] = MODALITIES,
    *,
    earlier: Sequence[str] = (),
    paired: bool = False,
) -> TrainingSet:
    """The training records of the people of some configurations, without the people of the configurations `earlier`.

    paired: as for `TrainingSet.add`.
    """
    records = read_training_data_of(benchmark, *people, without=earlier)
    names = read_names(benchmark, *people, without=earlier)
    return TrainingSet(vlm, modalities).add(records, names, paired=paired)


class UnlearningData:
    """The batches of a training method at a forget ratio.

    earlier: configurations of people who are neither forgotten nor retained.
    """

    def __init__(
        self, vlm: VisionLanguageModel, method: TrainingMethod, benchmark: Path, ratio: int, earlier: Sequence[str] = ()
    ) -> None:
        def records_of(people: Sequence[str], modalities: tuple[str, ...]) -> TrainingSet:
            return training_set(vlm, benchmark, people, modalities, earlier=earlier)

        forget, retain = [forget_config(ratio)], retain_people(ratio)
        self._vlm, self._size = vlm, method.batch_size
        self._forget = records_of(forget, method.modalities)
        self._retain = records_of(retain, method.modalities) if method.needs_retain else None
        self._knowledge = records_of([*forget, *retain], (TEXT,)) if method.needs_knowledge else None
        self._refusal = vlm.answer_ids(getattr(method, "refusal", "")) if method.needs_refusal else None
        self._alternates = method.alternates
        epoch = [self._forget, self._retain] if self._alternates else [self._forget]
        self.batches_per_epoch = sum(records.batches_per_epoch(self._size) for records in epoch if records)

    def epochs(self, count: int, rng: np.random.Generator) -> Iterator[Batches]:
        """Passes over the forget set; each forget batch comes with a retain batch of its own modality.

        Of a method that alternates: passes over the forget set, each followed by one over the retain set.
        """
        if self._alternates:
            yield from self._alternating(count, rng)
            return
        forget_rng, retain_rng, knowledge_rng = rng.spawn(3)
        retain = self._streams(self._retain, retain_rng)
        knowledge = self._streams(self._knowledge, knowledge_rng)
        for _ in range(count):
            for modality, batch in self._forget.epoch(self._size, forget_rng):
                yield Batches(
                    forget=batch,
                    **({"retain": next(retain[modality])} if retain else {}),
                    **({"refusal": with_answer(self._vlm, batch, self._refusal)} if self._refusal else {}),
                    **({"knowledge": next(knowledge[TEXT])} if knowledge else {}),
                )

    def _alternating(self, count: int, rng: np.random.Generator) -> Iterator[Batches]:
        forget_rng, retain_rng = rng.spawn(2)
        for _ in range(count):
            for _, batch in self._forget.epoch(self._size, forget_rng):
                yield Batches(forget=batch)
            if self._retain:
                for _, batch in self._retain.epoch(self._size, retain_rng):
                    yield Batches(retain=batch)

    def _streams(self, records: TrainingSet | None, rng: np.random.Generator) -> dict[str, Iterator[Batch]]:
        return {m: records.stream(m, self._size, rng) for m in records.modalities} if records else {}
