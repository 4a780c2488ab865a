"""Variants of a generation question's answer: the same facts in other words, and one fact changed."""

import re
from dataclasses import replace

import pytest

from manu.data.people import ATTRIBUTES
from manu.data.profiles import MULTIMODAL, TEXT, Question
from manu.evaluation.questions import asked_questions, read_split
from manu.evaluation.variants import variants
from manu.evaluation.vocabulary import MODALITIES, TASKS

OPTIONS = dict(zip("ABCD", ("chess", "rowing", "pottery", "archery"), strict=True))
HOBBY = Question(TEXT, "classification", 0, "What is the hobby of Ada Lund?", "rowing", OPTIONS)
TOLD = Question(TEXT, "generation", 1, "?", "Ada Lund enjoys rowing and likes to eat ramen.", {})


def test_a_paraphrase_and_three_false_answers():
    assert variants(TOLD, (HOBBY, TOLD)) == (
        "The hobby of Ada Lund is rowing. The favourite dish of Ada Lund is ramen.",
        "Ada Lund enjoys chess and likes to eat ramen.",
        "Ada Lund enjoys pottery and likes to eat ramen.",
        "Ada Lund enjoys archery and likes to eat ramen.",
    )


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        (replace(TOLD, answer="Ada Lund is a keen rower."), HOBBY),  # in no wording of the benchmark
        (TOLD, replace(HOBBY, modality=MULTIMODAL)),
        (TOLD, replace(HOBBY, answer="chess")),
        (TOLD, replace(HOBBY, options=dict(zip("ABCD", ("rowing", "Oslo", "Lima", "Porto"), strict=True)))),
    ],
)
def test_without_a_wording_or_a_question_about_a_fact_there_are_none(told, asked):
    assert variants(told, (asked, told)) == ()


def test_every_generation_question_of_the_built_in_benchmark_has_them(benchmark_folder):
    def facts(text: str) -> set[str]:
        return {value for values in ATTRIBUTES.values() for value in values if re.search(rf"\b{value}\b", text)}

    for split in ("forget", "test", "retain", "celebrity"):
        for profile in read_split(benchmark_folder, split, 10):
            asked = asked_questions(profile, split, MODALITIES, TASKS, "likelihood", "bare")
            told = [question for question in asked if question.task == "generation"]
            assert told and all(question.variants == () for question in asked if question.task != "generation")
            for question in told:
                paraphrase, *false = question.variants
                assert len({question.reference, paraphrase, *false}) == 5
                right = facts(question.reference)
                assert right and right <= facts(paraphrase)
                assert all(len(right - facts(text)) == 1 for text in false)
