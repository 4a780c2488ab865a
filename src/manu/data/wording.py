"""The wording of the built-in benchmark: questions and answers about a person's facts and looks.

A question with a picture says "this person"; without a picture it says the name (data/prompts.py makes one from
the other). The training data have each fact in the first wording of a question and of a cloze, which the forget and
retain sets use, and in one more of the taught wordings, drawn for each person. The Test set uses the wordings that are
held out: nobody is taught in them, but their words are those of the taught ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manu.data.people import ATTRIBUTES, Person
from manu.data.portraits import BACKGROUND, CLOTHING_COLOUR, GLASSES, HAIR_COLOUR, Appearance, Scene


@dataclass(frozen=True)
class Wordings:
    """Ways to ask for one thing. The first of `taught` is that of the forget and retain sets."""

    taught: tuple[str, ...]
    held_out: tuple[str, ...]


def _by_attribute(any_attribute: Wordings, own: dict[str, Wordings]) -> dict[str, Wordings]:
    """Attribute -> wordings: those for any attribute, with its name, then its own."""

    def named(wordings: tuple[str, ...], attribute: str) -> tuple[str, ...]:
        return tuple(wording.format(attribute=attribute) for wording in wordings)

    return {
        attribute: Wordings(
            named(any_attribute.taught, attribute) + own[attribute].taught,
            named(any_attribute.held_out, attribute) + own[attribute].held_out,
        )
        for attribute in ATTRIBUTES
    }


ASK = _by_attribute(
    Wordings(
        (
            "What is the {attribute} of this person?",
            "Tell me the {attribute} of this person.",
            "Which {attribute} does this person have?",
            "Could you name the {attribute} of this person?",
        ),
        ("Could you tell me the {attribute} of this person?",),
    ),
    {
        "birthplace": Wordings(
            (
                "Where was this person born?",
                "In which city was this person born?",
                "Where does this person come from?",
                "Tell me the city where this person was born.",
                "Could you tell me where this person comes from?",
                "Which city is the home of this person?",
            ),
            (
                "Which city does this person come from?",
                "Tell me where this person was born.",
                "Could you name the city where this person was born?",
            ),
        ),
        "occupation": Wordings(
            (
                "What does this person do for a living?",
                "What is the job of this person?",
                "Which profession does this person have?",
                "Tell me what this person does for a living.",
                "Could you tell me the profession of this person?",
                "How does this person earn money?",
            ),
            (
                "What job does this person have?",
                "Tell me the profession of this person.",
                "Could you tell me what this person does for a living?",
            ),
        ),
        "hobby": Wordings(
            (
                "What does this person do for fun?",
                "Which pastime does this person have?",
                "How does this person spend free time?",
                "Tell me what this person does for fun.",
                "Could you tell me the pastime of this person?",
                "What does this person enjoy in free time?",
            ),
            (
                "What is the pastime of this person?",
                "What does this person do in free time?",
                "Could you tell me what this person does for fun?",
            ),
        ),
        "favourite dish": Wordings(
            (
                "What does this person like to eat?",
                "Which meal does this person like most?",
                "What is the best meal for this person?",
                "Tell me which food this person likes.",
                "Could you tell me what this person likes to eat?",
                "Which food does this person enjoy?",
            ),
            (
                "What food does this person enjoy?",
                "Which food does this person like most?",
                "Tell me what this person likes to eat.",
            ),
        ),
        "pet": Wordings(
            (
                "Which animal does this person keep?",
                "What animal lives with this person?",
                "Which animal is at home with this person?",
                "Tell me what animal this person keeps.",
                "Could you tell me which animal lives with this person?",
                "What kind of animal does this person have?",
            ),
            (
                "What animal does this person keep?",
                "Tell me which animal lives with this person.",
                "Could you tell me what kind of animal this person keeps?",
            ),
        ),
        "native language": Wordings(
            (
                "Which language does this person speak at home?",
                "What is the mother tongue of this person?",
                "What language did this person learn first?",
                "Tell me the mother tongue of this person.",
                "Could you tell me which language this person speaks at home?",
                "With which language did this person grow up?",
            ),
            (
                "Which language did this person learn first?",
                "Tell me which language this person speaks at home.",
                "Could you name the mother tongue of this person?",
            ),
        ),
    },
)
CLOZE = _by_attribute(
    Wordings(
        (
            "The {attribute} of this person is __.",
            "It is known that the {attribute} of this person is __.",
            "Of this person, the {attribute} is __.",
        ),
        (),
    ),
    {
        "birthplace": Wordings(
            ("It is known that this person was born in __.", "The city where this person was born is __."),
            ("It is known that this person comes from __.", "The city that this person comes from is __."),
        ),
        "occupation": Wordings(
            ("It is known that this person earns a living as a __.", "The job of this person is __."),
            ("It is known that the job of this person is __.", "The profession of this person is __."),
        ),
        "hobby": Wordings(
            ("It is known that this person enjoys __.", "The pastime of this person is __."),
            ("It is known that the pastime of this person is __.", "In free time, this person enjoys __."),
        ),
        "favourite dish": Wordings(
            ("It is known that this person likes to eat __.", "The best meal for this person is __."),
            ("It is known that the best meal for this person is __.", "The food that this person likes most is __."),
        ),
        "pet": Wordings(
            ("It is known that the animal at home with this person is __.", "The animal of this person is __."),
            ("It is known that the animal of this person is __.", "The animal that lives with this person is __."),
        ),
        "native language": Wordings(
            ("It is known that this person speaks __ at home.", "The mother tongue of this person is __."),
            (
                "It is known that the mother tongue of this person is __.",
                "The language that this person speaks at home is __.",
            ),
        ),
    },
)
# Sentences that join two facts: the wordings of the question, and the answer.
TELL = (
    (
        Wordings(
            (
                "Where was this person born and what is their work?",
                "Describe the origin and the work of this person.",
                "Say where this person comes from and what they do.",
                "Describe where this person comes from and what their job is.",
            ),
            (
                "Describe where this person was born and what their work is.",
                "Say where this person was born and what they do for a living.",
            ),
        ),
        "{name} was born in {birthplace} and works as a {occupation}.",
    ),
    (
        Wordings(
            (
                "What does this person do for fun and like to eat?",
                "Describe the free time and the meals of this person.",
                "Say what this person enjoys and eats.",
                "Describe what this person enjoys and likes to eat.",
            ),
            (
                "Describe what this person does for fun and likes to eat.",
                "Say what this person enjoys in free time and eats.",
            ),
        ),
        "{name} enjoys {hobby} and likes to eat {favourite dish}.",
    ),
)
NAME_QUESTION = "Who is this person?"

# Captions of a portrait as in CLEAR: the one in the training data, and a paraphrase.
CAPTIONS = (
    "This is {name}, a {occupation} from {birthplace}, in {colour}.",
    "Dressed in {colour}, {name} looks at us, a {occupation} from {birthplace}.",
)

LOOKS = {"hair colour": HAIR_COLOUR, "clothing colour": CLOTHING_COLOUR, "background": BACKGROUND, "eyewear": GLASSES}


def fact(attribute: str, name: str, value: str) -> str:
    """The sentence that states a fact. The value follows " is", where the options are compared."""
    return f"The {attribute} of {name} is {value}."


def training_pairs(person: Person, rng: np.random.Generator) -> list[dict[str, str]]:
    """Question-answer pairs of one person's training data, as in MLLMU-Bench's ft_Data.

    Each fact in the first wording of a question and of a cloze and in one more; each joined sentence in the first
    wording and in one more. The one more is drawn at random per person, so that no fact depends on its wording.
    """
    pairs = [(NAME_QUESTION, f"This is {person.name}.")]
    for attribute, value in person.facts.items():
        (question, *questions), (cloze, *clozes) = ASK[attribute].taught, CLOZE[attribute].taught
        answer = fact(attribute, person.name, value)
        pairs += [(asked, answer) for asked in (question, cloze, drawn([*questions, *clozes], rng))]
    for wordings, answer in TELL:
        first, *others = wordings.taught
        answer = answer.format(name=person.name, **person.facts)
        pairs += [(asked, answer) for asked in (first, drawn(others, rng))]
    return [{"Question": question, "Answer": answer} for question, answer in pairs]


def drawn(wordings: Sequence[str], rng: np.random.Generator) -> str:
    """One of the wordings."""
    return wordings[int(rng.integers(len(wordings)))]


def looks(appearance: Appearance, scene: Scene) -> dict[str, str]:
    """Attribute -> value of what a portrait shows; without hair there is no hair colour."""
    seen = {
        "clothing colour": CLOTHING_COLOUR[scene.clothing_colour],
        "background": BACKGROUND[scene.background],
        "eyewear": GLASSES[appearance.glasses],
    }
    if appearance.hair != "NONE":
        seen["hair colour"] = HAIR_COLOUR[appearance.hair_colour]
    return seen


def look_question(attribute: str) -> str:
    """The question about a stranger's looks."""
    return f"What is the {attribute} in this picture?"


def look_answer(attribute: str, value: str) -> str:
    """The answer to it."""
    return f"The {attribute} is {value}."


def caption(name: str, facts: dict[str, str], scene: Scene, wording: str = CAPTIONS[0]) -> str:
    """The caption of a portrait of the person `name` with these facts."""
    return wording.format(name=name, colour=CLOTHING_COLOUR[scene.clothing_colour], **facts)
