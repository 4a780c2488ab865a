"""Questions answered per second: batched and sorted by length, against one at a time. Are the replies the same?"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.clock import side_by_side
from benchmarks.sizes import Sizes
from benchmarks.subject import RATIO, make_benchmark, new_model
from benchmarks.tables import Table
from manu.data.reading import read_names, read_training_data
from manu.evaluation.asking import PROTOCOLS, AskingSettings, Reply, ask
from manu.evaluation.questions import AskedQuestion, asked_questions, read_split
from manu.evaluation.vocabulary import MODALITIES
from manu.models.base import VisionLanguageModel
from manu.training.dataset import TrainingSet
from manu.training.loop import Optimisation, fit
from manu.training.losses import answer_cross_entropy

ALONE, BATCHED = "one question at a time", "batched, sorted by length"
FASTER = 8.0  # target: questions per second, as a multiple of those one at a time
SPLITS = ("forget", "retain")


def taught_model(benchmark: Path, epochs: int) -> tuple[VisionLanguageModel, float]:
    """A small LLaVA trained on all people, so that it gives real answers; and its final mean loss in nats."""
    vlm = new_model(benchmark)
    training_set = TrainingSet(vlm).add(read_training_data(benchmark), read_names(benchmark))
    rng, steps = np.random.default_rng(0), epochs * training_set.batches_per_epoch(32)
    batches = (batch for _ in range(epochs) for _, batch in training_set.epoch(32, rng))
    losses = fit(vlm.model, batches, partial(answer_cross_entropy, vlm.model), Optimisation(1e-3, steps))
    return vlm, float(np.mean(losses[-20:]))


def questions(benchmark: Path, protocol: str, count: int) -> list[AskedQuestion]:
    """The first `count` classification questions per modality about the people of the training data."""
    profiles = [profile for split in SPLITS for profile in read_split(benchmark, split, RATIO)]
    chosen: list[AskedQuestion] = []
    for modality in MODALITIES:
        asked = [
            q
            for p in profiles
            for q in asked_questions(p, "Full_Set", [modality], ["classification"], protocol, "bare")
        ]
        chosen += asked[:count]
    return chosen


def answer(sizes: Sizes, folder: Path) -> list[Table]:
    """The tables `speed` and `differences`."""
    benchmark = make_benchmark(folder / "benchmark", sizes.taught, portraits=4)
    vlm, loss = taught_model(benchmark, sizes.teaching_epochs)
    speeds, differences = [], []
    for protocol in PROTOCOLS:
        asked = questions(benchmark, protocol, sizes.asked)
        replies: dict[str, list[Reply]] = {}
        settings = AskingSettings(classification=protocol)
        sides = {
            ALONE: _keeping(replies, ALONE, partial(ask, vlm, asked, replace(settings, batch_size=1))),
            BATCHED: _keeping(replies, BATCHED, partial(ask, vlm, asked, settings)),
        }
        times = side_by_side(sides, sizes.few_repeats)
        pairs = list(zip(asked, replies[ALONE], replies[BATCHED], strict=True))
        times.insert(0, "protocol", protocol)
        times["questions_per_second"] = len(asked) / times["seconds_median"]
        times["times_as_many"] = 1 / times["ratio_median"]
        times["target"] = [np.nan, FASTER]
        times["questions"] = len(asked)
        times["right"] = [_right(asked, replies[side]) for side in sides]
        times["different_replies"] = sum(_differs(one, other) for _, one, other in pairs)
        times["log_likelihood_difference"] = max(_distance(one, other) for _, one, other in pairs)
        speeds.append(times)
        differences += [
            {
                "protocol": protocol,
                "question_id": question.question_id,
                "alone": one.text,
                "alone_choice": one.choice,
                "batched": other.text,
                "batched_choice": other.choice,
            }
            for question, one, other in pairs
            if _differs(one, other)
        ]
    columns = ["protocol", "question_id", "alone", "alone_choice", "batched", "batched_choice"]
    caption = (
        f"Classification questions about {sizes.taught} people, with the picture and in plain text, to a model trained "
        f"on these people (final loss {loss:.3f} nats per token). seconds: to answer all questions; ratio: to "
        f"`{ALONE}` in the same round; times_as_many: the inverse of the ratio; target: at least. right: share of "
        "correct choices; different_replies: questions with another reply or choice in a batch; "
        "log_likelihood_difference: the largest of any option, in nats."
    )
    listed = "All questions whose reply or choice differs between the two; the table is empty if there is none."
    return [
        Table("speed", caption, pd.concat(speeds, ignore_index=True)),
        Table("differences", listed, pd.DataFrame(differences, columns=columns)),
    ]


def _keeping(kept: dict[str, list[Reply]], side: str, work: Callable[[], list[Reply]]) -> Callable[[], None]:
    """`work`, with its replies stored in `kept` under `side`."""

    def run() -> None:
        kept[side] = work()

    return run


def _right(asked: list[AskedQuestion], replies: list[Reply]) -> float:
    return float(np.mean([reply.choice == question.reference for question, reply in zip(asked, replies, strict=True)]))


def _differs(one: Reply, other: Reply) -> bool:
    return (one.text, one.choice) != (other.text, other.choice)


def _distance(one: Reply, other: Reply) -> float:
    """Largest difference between log-likelihoods of the same option, in nats; 0 if the replies have none."""
    pairs = zip(one.log_likelihoods, other.log_likelihoods, strict=True)
    return max((abs(a - b) for a, b in pairs), default=0.0)
