"""A paraphrase of an answer and false versions of it, for truth ratios.

Open-MMUnlearning (Chen et al. 2026, appendix A.4.4) has both written by a language model: one paraphrase that keeps
every fact, and three answers in which one fact is false. Here both come from the benchmark's own wordings. The
paraphrase states the facts one by one, as the training data do. A false answer has a wrong option of the person's
classification question in the place of a fact.
"""

import re
from collections.abc import Sequence
from string import Formatter

from manu.data.people import ATTRIBUTES
from manu.data.profiles import Question
from manu.data.wording import TELL, fact

NAME = "name"


def _reader(wording: str) -> tuple[list[str], re.Pattern[str]]:
    """The fields of a wording, and a pattern with a group for each of them."""
    parts = list(Formatter().parse(wording))
    pattern = "".join(re.escape(text) + ("(.+)" if field else "") for text, field, *_ in parts)
    return [field for _, field, *_ in parts if field], re.compile(pattern)


_READERS = {wording: _reader(wording) for _, wording in TELL}


def variants(question: Question, questions: Sequence[Question]) -> tuple[str, ...]:
    """(paraphrase, false answer, false answer, false answer) of the answer to a generation question.

    questions: all questions about the person. Empty where the answer is in none of the benchmark's wordings, or where
    no classification question of the same modality asks for one of its facts.
    """
    for wording, (fields, pattern) in _READERS.items():
        if match := pattern.fullmatch(question.answer):
            values = dict(zip(fields, match.groups(), strict=True))
            facts = {attribute: value for attribute, value in values.items() if attribute != NAME}
            for attribute in facts:
                if wrong := _wrong(attribute, facts[attribute], question.modality, questions):
                    paraphrase = " ".join(fact(each, values[NAME], value) for each, value in facts.items())
                    return paraphrase, *(wording.format(**values | {attribute: value}) for value in wrong)
    return ()


def _wrong(attribute: str, value: str, modality: str, questions: Sequence[Question]) -> list[str]:
    """The wrong options of the classification question about an attribute; none if it is not asked."""
    for question in questions:
        options = list(question.options.values())
        if question.modality == modality and question.answer == value and {*options} <= {*ATTRIBUTES[attribute]}:
            return [option for option in options if option != value]
    return []
