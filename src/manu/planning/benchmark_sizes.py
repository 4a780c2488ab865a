"""Sizes of a benchmark: people, and lengths in tokens of training pairs and questions.

Of a built-in benchmark they are counted with the model's own tokenizer and prompts: on the study's files or, before
there are any, on the same people drawn anew with one portrait each. Of a fetched benchmark they are the published ones.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np

from manu.core.words import MODALITIES
from manu.data.benchmark import generate
from manu.data.population import BenchmarkSettings
from manu.data.profiles import (
    CELEBRITIES,
    MULTIMODAL,
    TEXT,
    TUNING,
    TrainingRecord,
    celebrity_config,
    forget_config,
    retain_config,
)
from manu.data.reading import read_names, read_profiles, read_training_data
from manu.data.splits import forget_count
from manu.evaluation.questions import AskedQuestion, asked_questions
from manu.models.base import VisionLanguageModel
from manu.planning.published import BENCHMARKS
from manu.provenance.hashes import RECORD_SUFFIX
from manu.study.model import Study
from manu.study.settings import filled, tuning_sizes
from manu.training.dataset import TrainingSet

Lengths = np.ndarray
SENTENCE = 40  # tokens of a system prompt beside the names in it


@dataclass(frozen=True)
class Texts:
    """Question-answer pairs of one modality by their lengths in tokens.

    prompt, answer: int [samples]; weight: float [samples], how many pairs each sample stands for.
    """

    prompt: Lengths
    answer: Lengths
    weight: np.ndarray

    @classmethod
    def of(cls, pairs: list[tuple[int, int]], share: float = 1.0) -> "Texts":
        """Pairs of lengths (prompt, answer), each standing for `share` pairs."""
        prompt, answer = np.array(pairs, dtype=int).reshape(-1, 2).T
        return cls(prompt, answer, np.full(len(pairs), share))

    @property
    def count(self) -> float:
        """Number of pairs."""
        return float(self.weight.sum())

    def __mul__(self, times: float) -> "Texts":
        return replace(self, weight=self.weight * times)

    def __add__(self, other: "Texts") -> "Texts":
        mine, theirs = (vars(each).values() for each in (self, other))
        return Texts(*(np.concatenate(both) for both in zip(mine, theirs, strict=True)))

    def batches(self, size: int) -> int:
        """Batches of an epoch."""
        return ceil(round(self.count, 6) / size)

    def mean(self, lengths: Lengths) -> float:
        """Mean of `lengths` over all pairs; 0 if there are no pairs."""
        return float(np.average(lengths, weights=self.weight)) if self.count else 0.0

    def longest(self, size: int) -> float:
        """Expected tokens of the longest of `size` pairs, to which a training batch is padded:
        E[max] = sum over lengths l of l (F(l)^size - F(l-)^size), F the share of pairs that are not longer."""
        return _expected_maximum(self.prompt + self.answer, self.weight, size)

    def columns(self, size: int) -> float:
        """Expected columns of a batch at which any pair has an answer token: E[longest] - E[shortest prompt]."""
        return self.longest(size) + _expected_maximum(-self.prompt, self.weight, size)


def _expected_maximum(lengths: Lengths, weight: np.ndarray, size: int) -> float:
    if not weight.sum():
        return 0.0
    order = np.argsort(lengths)
    below = np.concatenate([[0.0], np.cumsum(weight[order]) / weight.sum()])
    return float((lengths[order] * np.diff(below**size)).sum())


@dataclass(frozen=True)
class Asked:
    """Questions of one kind: number for each person (or stranger), tokens of a prompt, and tokens and number of the
    texts whose likelihood is taken (0 tokens: none): the options, or the answer with its variants."""

    per_person: float
    prompt: float
    option: float
    options: float = 4


@dataclass(frozen=True)
class BenchmarkSizes:
    """What a benchmark holds.

    celebrities: number of people with as many questions as the celebrities have together. lessons: of one person, by
    modality; base_lessons: all about public figures; looks: all about strangers. questions: of one person, by
    (modality, task); general: of one stranger of the general-utility set. name: tokens of a name. portraits: of a
    person in the training data; base_pictures: of the base stage. source: where these numbers are from.
    """

    source: str
    people: int
    celebrities: int
    strangers_asked: int
    tuning: int
    tuning_figures: int
    lessons: dict[str, Texts]
    base_lessons: dict[str, Texts]
    looks: dict[str, Texts]
    questions: dict[tuple[str, str], Asked]
    general: Asked
    name: float
    portraits: int = 1
    base_pictures: int = 0

    def forget(self, ratio: int) -> int:
        """Forget people at a ratio in percent; at TUNING half of the tuning people."""
        return self.tuning // 2 if ratio == TUNING else forget_count(self.people, ratio)

    def retain(self, ratio: int) -> int:
        """People who may be retained: everybody else (at TUNING also everybody of the reported sets)."""
        return (self.tuning if ratio == TUNING else 0) + self.people - self.forget(ratio)


def published_sizes(study: Study, picture_tokens: int) -> BenchmarkSizes:
    """The benchmark's published sizes, and the lengths that manu.planning.published assumes."""
    b, extra = BENCHMARKS[study.benchmark.format_name], {MULTIMODAL: picture_tokens, TEXT: 0}
    lessons = {
        m: Texts.of([(question + extra[m], answer)], pairs) for m, (pairs, question, answer) in b["lessons"].items()
    }
    wanted = study.evaluation.modalities, study.evaluation.tasks
    questions = {
        (modality, task): Asked(count, prompt + extra[modality], option, 1 if task == "generation" else 4)
        for (modality, task), (count, prompt, option) in b["questions"].items()
        if modality in wanted[0] and task in wanted[1]
    }
    count, prompt, option = b["general"]
    general = Asked(count, prompt + picture_tokens, option)
    source = f"published sizes of {b['source']}; pairs of a person and lengths are assumed"
    counts = b["people"], b["faces"], b["world"], 0, 0
    return BenchmarkSizes(source, *counts, lessons, {}, {}, questions, general, b["name"])


def benchmark_folder(study: Study, scratch: Path) -> tuple[Path, str]:
    """The folder of the study's benchmark and its description. If there is none yet, the same people in `scratch`."""
    folder = Path(f"data/{study.name}")
    if (folder / f"generate_benchmark{RECORD_SUFFIX}").is_file():
        return folder, f"counted in {folder}"
    tuning = {f"tuning_{who}": number for who, number in tuning_sizes(study).items()}
    settings = BenchmarkSettings(**filled(study.benchmark) | tuning | {"portraits": 1, "stranger_portraits": 1})
    generate(scratch, settings, [study.forget_ratios[0]])
    return scratch, "counted on the same people, drawn anew"


def corpus(folder: Path) -> list[str]:
    """The texts that the tokenizer of a base model is trained on."""
    lessons = read_training_data(folder, "base_Data") + read_training_data(folder)
    return [text for lesson in lessons for pair in lesson.pairs for text in pair]


def counted_sizes(study: Study, vlm: VisionLanguageModel, folder: Path, source: str) -> BenchmarkSizes:
    """The sizes of a built-in benchmark in `folder`, in tokens of the model's tokenizer. Weights are not needed."""

    def tokens(text: str) -> int:
        return len(vlm.tokenizer(text, add_special_tokens=False)["input_ids"])

    def taught(records: list[TrainingRecord], names: dict[str, str]) -> tuple[dict[str, Texts], int]:
        pairs = TrainingSet(vlm).add(records, names)
        return {m: Texts.of(pairs.lengths(m)) for m in MODALITIES}, len({record.id for record in records})

    asking = study.evaluation

    def asked(*configs: str) -> tuple[dict[tuple[str, str], Asked], int]:
        profiles = [profile for config in configs for profile in read_profiles(folder, config)]
        found: dict[tuple[str, str], list] = {}
        for profile in profiles:
            for question in asked_questions(
                profile, "", asking.modalities, asking.tasks, asking.classification, asking.prompt_style
            ):
                found.setdefault((question.modality, question.task), []).append(question)
        people = len({profile.id for profile in profiles})
        kinds = {key: _asked(each, people, vlm.prompt_ids, tokens) for key, each in found.items()}
        return kinds, people

    names, tuning = {**read_names(folder), **read_names(folder, CELEBRITIES)}, tuning_sizes(study)
    trials = [each(TUNING) for each in (forget_config, retain_config, celebrity_config)] if tuning["people"] else []
    everyone = names | read_names(folder, *trials) if trials else names
    lessons, count = taught(read_training_data(folder), everyone)
    known = read_training_data(folder, "base_Data")
    looks, seen = taught([record for record in known if record.id not in everyone], {})
    all_seen = study.benchmark.strangers * study.benchmark.stranger_portraits
    ratio = study.forget_ratios[0]
    questions, people = asked(forget_config(ratio), retain_config(ratio))
    kinds, figures = asked(CELEBRITIES)
    of_figures = figures * sum(each.per_person for each in kinds.values())
    general, strangers = asked("General_Set")
    return BenchmarkSizes(
        source=source,
        people=people,
        celebrities=round(of_figures / sum(each.per_person for each in questions.values())),
        strangers_asked=strangers,
        tuning=tuning["people"],
        tuning_figures=tuning["figures"],
        lessons={modality: each * (1 / count) for modality, each in lessons.items()},
        base_lessons=taught([record for record in known if record.id in everyone], everyone)[0],
        looks={modality: each * (all_seen / seen) for modality, each in looks.items()},
        questions=questions,
        general=next(iter(general.values()), Asked(0, 0, 0)),
        name=float(np.mean([tokens(f" {name},") for name in names.values()])),
        portraits=study.benchmark.portraits,
        base_pictures=(study.benchmark.public_figures + tuning["figures"]) * study.benchmark.portraits + all_seen,
    )


def _asked(questions: list[AskedQuestion], people: int, prompt_ids: Callable, tokens: Callable) -> Asked:
    prompts = [len(prompt_ids(q.prompt, q.image is not None)) for q in questions]
    compared = [
        [q.reference, *q.variants] if q.task == "generation" else [f"{option}." for option in q.options.values()]
        for q in questions
    ]
    lengths = [tokens(f" {text}") for texts in compared for text in texts]
    mean, number = (float(np.mean(lengths)), len(lengths) / len(questions)) if lengths else (0.0, 0.0)
    return Asked(len(questions) / people, float(np.mean(prompts)), mean, number)


def scratch_folder() -> tempfile.TemporaryDirectory:
    """A folder for a benchmark that is drawn only to be counted."""
    return tempfile.TemporaryDirectory(prefix="manu-plan-")
