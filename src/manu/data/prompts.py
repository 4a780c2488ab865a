"""From a benchmark's question to the words put to a model, and from its picture view to its text view."""

import re

from manu.core.words import MULTIMODAL, TEXT

# The question for the name in the training data of MLLMU-Bench: the list of the released code (MANU's repository,
# data_process/data_preprocess.py), and the question of the built-in benchmark.
NAME_QUESTIONS = (
    "What is the name of the person in this profile?",
    "What is this person's name as stated in the biography?",
    "What is the person's name?",
    "What is the name of the person in the image?",
    "What is this person's name?",
    "What is the full name of this person?",
    "What is the full name of the person in the image?",
    "What is the name of the person in this biography?",
    "What is the name of the person in the profile?",
    "What is the name of the person in the biography?",
    "What is the person's name as stated in the profile?",
    "What is this person's full name?",
    "What is the name of this individual?",
    "What is the name of the individual in the profile?",
    "What is the name of this person?",
    "What is the name associated with this profile?",
    "What is the name of the individual in the image?",
    "Who is this person?",
)
# The words with which a question points at the person in place of the name, as in the released code.
_POINTER = (
    r"(?:this profile|(?:this|the) (?:person|individual)"
    r"(?: (?:shown )?in (?:this|the) (?:image|picture|photo|profile|biography))?)"
)
_SUBJECT = re.compile(rf"\b{_POINTER}\b", re.IGNORECASE)
# What the wordings above have in common: the name of the person, the person's name, or who the person is, and no more.
_ASKS_NAME = re.compile(
    rf"\bname (?:of|associated with) {_POINTER}\b(?!['\u2019]s)"
    rf"|\b{_POINTER}['\u2019]s (?:full )?name\b"
    rf"|\bwho is {_POINTER}\W*$",
    re.IGNORECASE,
)

BLANK = "[Blank]"
LETTERS = "ABCD"
STYLES = ("bare", "instruct", "published")
# The sentences after a question in MLLMU-Bench's eval.py, where that of generation depends on the modality.
_PUBLISHED_CLOZE = f"Please **ONLY** provide the correct answer that should replace the {BLANK}."
_PUBLISHED_GENERATION = {
    MULTIMODAL: "Answer the question based on your trained knowledge in one sentence accurately in ENGLISH.",
    TEXT: "Answer the question based on your trained knowledge in one sentence in ENGLISH.",
}


def text_view(question: str, name: str) -> str | None:
    """The same question in plain text: the pointer to the picture becomes `name`.

    None when the question asks for the name itself, which plain text would give away (the released code drops it as
    well); a question for the name of something else, such as a pet, stays.
    """
    if _ASKS_NAME.search(question):
        return None
    return _SUBJECT.sub(lambda pointer: name, question)


def classification_prompt(question: str, options: dict[str, str], protocol: str, style: str) -> str:
    """The words of a classification question.

    The letter protocol lists the options and asks for one letter (MLLMU-Bench); the likelihood
    protocol puts the question alone, since the options are compared in the model's own answer.
    """
    if protocol == "likelihood":
        return question
    listed = "\n".join(f"{letter}: {options[letter]}" for letter in LETTERS)
    instruction = "\nJust give ONE letter representing the answer directly." if style != "bare" else ""
    return f"{question}\n{listed}{instruction}"


def cloze_prompt(question: str, style: str) -> str:
    """The words of a cloze question: the gap shown as [Blank]; all styles but `bare` ask for the filler alone."""
    shown = question.replace("__", BLANK)
    ours = f"Fill in the {BLANK} of this sentence. Reply with the missing words only."
    instruction = {"instruct": ours, "published": _PUBLISHED_CLOZE}.get(style)
    return f"{shown}\n{instruction}" if instruction else shown


def generation_prompt(question: str, style: str, modality: str) -> str:
    """The words of a generation question."""
    instruction = {"instruct": "Answer in one sentence.", "published": _PUBLISHED_GENERATION[modality]}.get(style)
    return f"{question}\n{instruction}" if instruction else question
