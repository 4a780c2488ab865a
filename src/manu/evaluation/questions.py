"""The questions of an evaluation: their people, modality, task and prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manu.data.language import CONFIG as LANGUAGE
from manu.data.language import read_language
from manu.data.profiles import CELEBRITIES, MULTIMODAL, TUNING, Profile, celebrity_config, forget_config, retain_config
from manu.data.prompts import classification_prompt, cloze_prompt, generation_prompt
from manu.data.reading import read_profiles
from manu.evaluation.variants import variants
from manu.evaluation.vocabulary import LANGUAGE_TASKS


@dataclass(frozen=True)
class AskedQuestion:
    """One question to a model.

    image: the picture's bytes, or None for a question in plain text. variants: of the reference of a generation
    question (manu.evaluation.variants).
    """

    modality: str
    task: str
    profile_id: str
    question_id: str
    prompt: str
    reference: str
    options: dict[str, str]
    image: bytes | None
    variants: tuple[str, ...] = ()


# The benchmark configuration of a split's questions, for all forget ratios; forget and retain people share questions.
SOURCES = {
    "forget": "Full_Set",
    "test": "Test_Set",
    "retain": "Full_Set",
    "celebrity": CELEBRITIES,
    "general": "General_Set",
    "language": LANGUAGE,
}


def split_config(split: str, ratio: int) -> str:
    """The benchmark configuration that holds a split's questions at a forget ratio."""
    by_ratio = {"forget": forget_config, "retain": retain_config, "celebrity": celebrity_config}
    return by_ratio[split](ratio) if split in by_ratio else SOURCES[split]


def source_config(split: str, ratio: int) -> str:
    """The benchmark configuration in the question ids of a split, so that a question has the same id at all ratios."""
    return split_config(split, ratio) if ratio == TUNING else SOURCES[split]


def read_split(folder: Path, split: str, ratio: int) -> list[Profile]:
    """The people of a split with their questions.

    The split test has the forget people only, as in the paper. The split language has one profile per text.
    """
    if split == "language":
        return read_language(folder)
    profiles = read_profiles(folder, split_config(split, ratio))
    if split == "test":
        forget = {p.id for p in read_profiles(folder, forget_config(ratio))}
        profiles = [p for p in profiles if p.id in forget]
    return profiles


def asked_questions(
    profile: Profile, source: str, modalities: Sequence[str], tasks: Sequence[str], protocol: str, style: str
) -> list[AskedQuestion]:
    """A person's questions of the given modalities and tasks.

    source: the configuration in the question ids (`source_config`). protocol, style: of the prompts, as in
    manu.data.prompts.
    """
    asked = []
    for question in profile.questions:
        if question.modality not in modalities or question.task not in tasks:
            continue
        if question.task == "classification":
            prompt = classification_prompt(question.text, question.options, protocol, style)
        elif question.task in LANGUAGE_TASKS:
            prompt = question.text  # without the layout of a conversation
        elif question.task == "cloze":
            prompt = cloze_prompt(question.text, style)
        else:
            prompt = generation_prompt(question.text, style, question.modality)
        asked.append(
            AskedQuestion(
                question.modality,
                question.task,
                profile.id,
                f"{source}/{profile.id}/{question.modality}/{question.task}/{question.number}",
                prompt,
                question.answer,
                question.options,
                profile.image if question.modality == MULTIMODAL else None,
                variants(question, profile.questions) if question.task == "generation" else (),
            )
        )
    return asked
