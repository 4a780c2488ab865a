"""Check a downloaded or user-made benchmark completely before anything is trained on it."""

import re
from collections.abc import Sequence
from pathlib import Path

from manu.core.errors import UserError
from manu.core.pictures import check_picture
from manu.data.profiles import MULTIMODAL, Profile, forget_config, retain_config
from manu.data.reading import format_of, left_out, read_ids, read_names, read_profiles, read_training_data, splits_of
from manu.evaluation.questions import read_split, split_config
from manu.evaluation.scoring import rouge_reads

_TOKEN = re.compile(r"<image>|<pad>|<unk>|</?s>|<end_of_utterance>|<fake_token_around_image>|<\|\w+\|>")


def check_benchmark(folder: Path, ratios: Sequence[int]) -> list[str]:
    """Raise UserError at the first row that a study with these forget ratios (percent) could not use.

    Returns what is wrong with the few questions that the reader leaves out, one line each.
    """
    _check_people(folder, ratios)
    read_names(folder)
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
        tested = {profile.id for profile in read_split(folder, "test", ratio)} if "test" in splits_of(folder) else None
        if tested is not None and (lacking := [person for person in read_ids(folder, forget) if person not in tested]):
            raise UserError(_lacking(folder, lacking, forget, "the set test", sorted(tested)))
        for split in splits_of(folder):
            config = split_config(split, ratio)
            for profile in read_split(folder, split, ratio):
                _check_questions(profile, f"{config}, ID {profile.id}")
                if any(question.modality == MULTIMODAL for question in profile.questions):
                    check(profile.image, f"{config}, ID {profile.id}")
    if format_of(folder) == "mllmu":  # CLEAR's pictures of everybody are its training data
        for profile in read_profiles(folder, "Full_Set"):
            check(profile.image, f"Full_Set, ID {profile.id}")
    for lesson in read_training_data(folder):
        where = f"training data, ID {lesson.id}"
        if not all(isinstance(text, str) and text.strip() for pair in lesson.pairs for text in pair):
            raise UserError(f"{where}: a question or an answer is empty; needed: text")
        _check_words([text for pair in lesson.pairs for text in pair], where)
        if lesson.image is not None:
            check(lesson.image, where)
    configs = dict.fromkeys(split_config(split, ratio) for ratio in ratios for split in splits_of(folder))
    return [mistake for config in configs for mistake in left_out(folder, config)]


def _check_people(folder: Path, ratios: Sequence[int]) -> None:
    """Raise UserError if a person of a forget or retain set is not in Full_Set, or is not taught."""
    everybody = read_ids(folder, "Full_Set")
    taught = list(dict.fromkeys(lesson.id for lesson in read_training_data(folder)))
    needed = {"Full_Set": everybody}
    for ratio in ratios:
        needed |= {config: read_ids(folder, config) for config in (forget_config(ratio), retain_config(ratio))}
    for config, people in needed.items():
        for what, there in (("Full_Set", everybody), ("the training data", taught)):
            known = set(there)
            if lacking := [person for person in people if person not in known]:
                raise UserError(_lacking(folder, lacking, config, what, there))


def _lacking(folder: Path, lacking: Sequence[str], config: str, what: str, there: Sequence[str]) -> str:
    """What to say when people of a configuration are not where they must be; there: the IDs that are."""
    beside = f" (it has ID {there[0]!r}, for example)" if there else ""
    return (
        f"benchmark {folder}: {len(lacking)} people of {config} are not in {what}, such as ID {lacking[0]!r}{beside}; "
        "needed: each person in all sets, under one ID"
    )


def _check_words(texts: Sequence[str], where: str) -> None:
    """Raise UserError on a text that holds a token of a model's prompts, such as the one that stands for a picture."""
    for text in texts:
        if token := _TOKEN.search(text):
            raise UserError(
                f"{where}: {token[0]} in {text[:60]!r} is a token of the models' prompts; needed: words alone"
            )


def _check_questions(profile: Profile, where: str) -> None:
    if not profile.questions:
        raise UserError(f"{where}: has no questions; needed: at least one")
    for question in profile.questions:
        texts = [question.text, question.answer, *question.options.values()]
        place = f"{where}, {question.modality} {question.task} question {question.number}"
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise UserError(f"{place}: question, answer or an option is empty; needed: text")
        _check_words(texts, place)
        if question.task == "generation" and not rouge_reads(question.answer):
            needed = "Latin letters or digits, or an evaluation without the task generation"
            raise UserError(f"{place}: ROUGE reads nothing in the answer {question.answer!r}; needed: {needed}")
        if question.options and question.answer not in question.options.values():
            raise UserError(f"{place}: the answer {question.answer!r} is not one of the options")
        if len(set(question.options.values())) < len(question.options):
            raise UserError(f"{place}: two options are the same; needed: four different options")
