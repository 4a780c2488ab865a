"""From picture view to text view, and the words of each protocol."""

import pytest

from manu.data.prompts import classification_prompt, cloze_prompt, text_view

OPTIONS = {"A": "tea", "B": "milk", "C": "wine", "D": "beer"}


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What is the pet of this person?", "What is the pet of Ada Lund?"),
        ("Where was the individual in the image born?", "Where was Ada Lund born?"),
        ("The person in the image likes __.", "Ada Lund likes __."),
        ("What is the personality of this person?", "What is the personality of Ada Lund?"),
        (
            "Does the personnel like the individualism of the individual?",
            "Does the personnel like the individualism of Ada Lund?",
        ),
        ("What is this person's pet?", "What is Ada Lund's pet?"),
        ("Who is this person?", None),
        ("What is the name of the individual?", None),
    ],
)
def test_text_view(question, text):
    assert text_view(question, "Ada Lund") == text


@pytest.mark.parametrize("name", [r"Ada \\1 Lund", r"Ada \\g<0>", "O'Hara \\\\ Sons"])
def test_a_name_is_taken_as_it_is(name):
    assert text_view("What is the pet of this person?", name) == f"What is the pet of {name}?"


def test_letter_protocol_lists_the_options_and_likelihood_does_not():
    assert classification_prompt("Drink?", OPTIONS, "likelihood", "bare") == "Drink?"
    bare = classification_prompt("Drink?", OPTIONS, "letter", "bare")
    assert bare == "Drink?\nA: tea\nB: milk\nC: wine\nD: beer"
    asked = classification_prompt("Drink?", OPTIONS, "letter", "instruct")
    assert asked == bare + "\nJust give ONE letter representing the answer directly."


def test_cloze_shows_a_blank():
    assert cloze_prompt("She lives in __.", "bare") == "She lives in [Blank]."
    assert cloze_prompt("She lives in __.", "instruct").startswith("She lives in [Blank].\n")
