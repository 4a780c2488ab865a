"""The anchor: questions about nobody in the study, on which a training method stays near the model that it begins with.

Unlearning damages what none of its data speaks for, such as public figures. Here the model itself answers questions
about people whom it never learned, before it unlearns; afterwards its predictions of those answers are held. No label
and nobody's data is needed (docs/method.md#anchor).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from manu.core.batch import Batch
from manu.core.words import MULTIMODAL
from manu.data.profiles import ANCHOR, QuestionAnswer, TrainingRecord
from manu.data.prompts import cloze_prompt
from manu.data.reading import read_profiles
from manu.evaluation.asking import AskingSettings, ask
from manu.evaluation.questions import AskedQuestion
from manu.models.base import VisionLanguageModel
from manu.training.dataset import TrainingSet
from manu.training.losses import answer_tokens, divergence_from
from manu.unlearning.base import Batches


def anchor_records(vlm: VisionLanguageModel, benchmark: Path) -> list[TrainingRecord]:
    """The questions of the benchmark's anchor set, in both modalities, each with the model's own greedy reply."""
    asked = [
        AskedQuestion(
            question.modality,
            "cloze",  # a reply, and nothing else
            profile.id,
            f"{ANCHOR}/{profile.id}/{number}",
            cloze_prompt(question.text, "bare"),
            "",
            {},
            profile.image if question.modality == MULTIMODAL else None,
        )
        for profile in read_profiles(benchmark, ANCHOR)
        for number, question in enumerate(profile.questions)
    ]
    return [
        TrainingRecord(each.profile_id, each.image, (QuestionAnswer(each.prompt, reply.text),), each.modality)
        for each, reply in zip(asked, ask(vlm, asked, AskingSettings()), strict=True)
    ]


def anchor_batches(
    vlm: VisionLanguageModel, records: list[TrainingRecord], batch_size: int, rng: np.random.Generator
) -> Iterator[Batch]:
    """Shuffled batches of the records, of one modality each, without end."""
    training_set = TrainingSet(vlm).add(records, {})
    while True:
        yield from (batch for _, batch in training_set.epoch(batch_size, rng))


def anchored(batches: Iterable[Batches], anchors: Iterator[Batch]) -> Iterator[Batches]:
    """Each step's batches with the next anchor batch."""
    for step in batches:
        yield Batches(**vars(step) | {"anchor": next(anchors)})


def anchor_loss(model: nn.Module, start: nn.Module, batch: Batch) -> Tensor:
    """KL(start || model), mean over the answer tokens of an anchor batch; scalar, in nats.

    start: the model as the method began with it, frozen.
    """
    current = answer_tokens(model, batch)
    return divergence_from(start, batch, current.logits) / len(current.targets)
