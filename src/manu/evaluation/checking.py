"""Check a downloaded or user-made benchmark completely before anything is trained on it."""

from collections.abc import Sequence
from pathlib import Path

from manu.core.errors import UserError
from manu.core.pictures import check_picture
from manu.data.profiles import MULTIMODAL, Profile, forget_config, retain_config
from manu.data.reading import read_ids, read_names, read_training_data, splits_of
from manu.evaluation.questions import read_split, split_config


def check_benchmark(folder: Path, ratios: Sequence[int]) -> None:
    """Raise UserError at the first row that a study with these forget ratios (percent) could not use."""
    checked: set[bytes | None] = set()

    def check(data: bytes | None, where: str) -> None:
        if data not in checked:
            check_picture(data, where)
            checked.add(data)

    for ratio in ratios:
        forget, retain = forget_config(ratio), retain_config(ratio)
        both = set(read_ids(folder, forget)) & set(read_ids(folder, retain))
        if both:
            raise UserError(
                f"benchmark {folder}: {min(both)} is in {forget} and in {retain}; a person may be in one of them only"
            )
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
            raise UserError(f"{where}: a question or an answer is empty; needed: text")
        if lesson.image is not None:
            check(lesson.image, where)


def _check_questions(profile: Profile, where: str) -> None:
    if not profile.questions:
        raise UserError(f"{where}: has no questions; needed: at least one")
    for question in profile.questions:
        texts = [question.text, question.answer, *question.options.values()]
        place = f"{where}, {question.modality} {question.task} question {question.number}"
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise UserError(f"{place}: question, answer or an option is empty; needed: text")
        if question.options and question.answer not in question.options.values():
            raise UserError(f"{place}: the answer {question.answer!r} is not one of the options")
        if len(set(question.options.values())) < len(question.options):
            raise UserError(f"{place}: two options are the same; needed: four different options")
