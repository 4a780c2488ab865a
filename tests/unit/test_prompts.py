"""From picture view to text view, and the words of each protocol."""

import pytest

from manu.data.prompts import NAME_QUESTIONS, classification_prompt, cloze_prompt, generation_prompt, text_view

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
        ("Can you tell the full name of the individual shown in the image?", None),
        ("What is this person\u2019s name?", None),
        ("What is the name of this person's pet?", "What is the name of Ada Lund's pet?"),
        ("Who is this person's favourite author?", "Who is Ada Lund's favourite author?"),
        ("Who is the person in this image married to?", "Who is Ada Lund married to?"),
        ("Where does the person in this image live?", "Where does Ada Lund live?"),
        ("What does this profile say about the job?", "What does Ada Lund say about the job?"),
    ],
)
def test_text_view(question, text):
    assert text_view(question, "Ada Lund") == text


@pytest.mark.parametrize("question", NAME_QUESTIONS)
def test_no_wording_of_the_question_for_the_name_has_a_text_view(question):
    assert text_view(question, "Ada Lund") is None


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


def test_the_published_style_has_the_sentences_of_the_published_evaluation():
    letter = classification_prompt("Drink?", OPTIONS, "letter", "published")
    assert letter == "Drink?\nA: tea\nB: milk\nC: wine\nD: beer\nJust give ONE letter representing the answer directly."
    cloze = cloze_prompt("She lives in __.", "published")
    assert cloze == (
        "She lives in [Blank].\nPlease **ONLY** provide the correct answer that should replace the [Blank]."
    )
    shared = "What?\nAnswer the question based on your trained knowledge in one sentence"
    assert generation_prompt("What?", "published", "multimodal") == f"{shared} accurately in ENGLISH."
    assert generation_prompt("What?", "published", "text") == f"{shared} in ENGLISH."
