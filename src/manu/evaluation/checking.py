"""A benchmark that was not made here is read whole before anything is trained on it."""

from collections.abc import Sequence
from pathlib import Path

from manu.core.errors import UserError
from manu.core.pictures import check_picture
from manu.data.profiles import MULTIMODAL, Profile, forget_config, retain_config
from manu.data.reading import read_ids, read_names, read_training_data, splits_of
from manu.evaluation.questions import read_split, split_config


def check_benchmark(folder: Path, ratios: Sequence[int]) -> None:
    """Raise UserError at the first row that no study with these forget ratios could be run on."""
    decoded: set[bytes] = set()

    def check(data: bytes | None, where: str) -> None:
        if data not in decoded:
            check_picture(data, where)
            decoded.add(data)

    for ratio in ratios:
        forget, retain = forget_config(ratio), retain_config(ratio)
        both = set(read_ids(folder, forget)) & set(read_ids(folder, retain))
        if both:
            raise UserError(f"benchmark {folder}: {min(both)} is in {forget} and in {retain}; nobody may be in both")
        read_names(folder, forget, retain)
        for split in splits_of(folder):
            config = split_config(split, ratio)
            for profile in read_split(folder, split, ratio):
                _check_questions(profile, f"{config}, ID {profile.id}")
                if any(question.modality == MULTIMODAL for question in profile.questions):
                    check(profile.image, f"{config}, ID {profile.id}")
    for lesson in read_training_data(folder):
        where = f"training data, ID {lesson.id}"
        if not all(isinstance(text, str) and text.strip() for pair in lesson.pairs for text in pair):
            raise UserError(f"{where}: a question or an answer is empty; needed: words")
        if lesson.image is not None:
            check(lesson.image, where)


def _check_questions(profile: Profile, where: str) -> None:
    if not profile.questions:
        raise UserError(f"{where}: has no question; needed: at least one")
    for question in profile.questions:
        said = [question.text, question.answer, *question.options.values()]
        place = f"{where}, {question.modality} {question.task} question {question.number}"
        if not all(isinstance(text, str) and text.strip() for text in said):
            raise UserError(f"{place}: question, answer or an option is empty; needed: words")
        if question.options and question.answer not in question.options.values():
            raise UserError(f"{place}: the answer {question.answer!r} is none of the options")
        if len(set(question.options.values())) < len(question.options):
            raise UserError(f"{place}: two options are the same; needed: different ones")
