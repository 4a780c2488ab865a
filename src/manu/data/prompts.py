"""From a benchmark's question to the words put to a model, and from its picture view to its text view."""

import re

# How MLLMU-Bench's questions point at the person in the picture; longest first.
SUBJECTS = (
    "the individual in the image",
    "the person in the image",
    "the individual shown in the image",
    "the person shown in the image",
    "this individual",
    "the individual",
    "this person",
    "the person",
)
_SUBJECT = re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, SUBJECTS), key=len, reverse=True))})\b", re.IGNORECASE)
_ASKS_NAME = re.compile(r"\b(who is|what is the (full )?name of)\b", re.IGNORECASE)

BLANK = "[Blank]"
LETTERS = "ABCD"
STYLES = ("bare", "instruct")


def text_view(question: str, name: str) -> str | None:
    """The same question in plain text: the pointer to the picture becomes `name`.

    None when the question asks for the name itself, which plain text would give away
    (the released code drops it as well).
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
    instruction = "\nJust give ONE letter representing the answer directly." if style == "instruct" else ""
    return f"{question}\n{listed}{instruction}"


def cloze_prompt(question: str, style: str) -> str:
    """The words of a cloze question: the gap shown as [Blank]; the instruct style asks for the filler alone."""
    shown = question.replace("__", BLANK)
    if style == "bare":
        return shown
    return f"{shown}\nFill in the {BLANK} of this sentence. Reply with the missing words only."


def generation_prompt(question: str, style: str) -> str:
    """The words of a generation question."""
    return question if style == "bare" else f"{question}\nAnswer in one sentence."
