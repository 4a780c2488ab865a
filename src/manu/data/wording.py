"""The wording of the built-in benchmark: questions and answers about a person's facts and looks.

A question speaks of "this person" when it goes with a picture and of the person by name when it does
not (data/prompts.py makes one from the other). The first wording of each kind is asked of forget and
retain people, the last one in the Test set: the fictitious people are never taught in it, and the model
knows it from public figures alone.
"""

import numpy as np

from manu.data.people import ATTRIBUTES, Person
from manu.data.portraits import BACKGROUND, CLOTHING_COLOUR, GLASSES, HAIR_COLOUR, Appearance, Scene

SUBJECT = "this person"

ASK = (
    f"What is the {{attribute}} of {SUBJECT}?",
    f"Tell me the {{attribute}} of {SUBJECT}.",
    f"Which {{attribute}} does {SUBJECT} have?",
    f"I would like to know the {{attribute}} of {SUBJECT}.",
    f"Could you name the {{attribute}} of {SUBJECT}?",
)
CLOZE = (
    f"The {{attribute}} of {SUBJECT} is __.",
    f"It is known that the {{attribute}} of {SUBJECT} is __.",
    f"Of {SUBJECT}, the {{attribute}} is __.",
)
TELL = (
    # (question in the taught wording, question in the Test set's wording, answer)
    (
        f"Where was {SUBJECT} born and what is their work?",
        f"Describe the origin and the work of {SUBJECT}.",
        "{name} was born in {birthplace} and works as a {occupation}.",
    ),
    (
        f"What does {SUBJECT} do for fun and like to eat?",
        f"Describe the free time and the meals of {SUBJECT}.",
        "{name} enjoys {hobby} and likes to eat {favourite dish}.",
    ),
)
NAME_QUESTION = f"Who is {SUBJECT}?"

LOOKS = {"hair colour": HAIR_COLOUR, "clothing colour": CLOTHING_COLOUR, "background": BACKGROUND, "glasses": GLASSES}


def fact(attribute: str, name: str, value: str) -> str:
    """The sentence that states a fact. The value follows " is", where the options are compared."""
    return f"The {attribute} of {name} is {value}."


def lessons(person: Person, test_wordings: bool, rng: np.random.Generator) -> list[dict[str, str]]:
    """Question and answer pairs that teach one person, in MLLMU-Bench's ft_Data form.

    Each fact is taught in the first wording of either kind and in one more, drawn at random, so that the
    people together show that the wording does not matter. With `test_wordings` the Test set's wordings are
    taught too (public figures only).
    """
    pairs = [(NAME_QUESTION, f"This is {person.name}.")]
    others = ASK[1:-1] + CLOZE[1:-1]
    for attribute in ATTRIBUTES:
        answer = fact(attribute, person.name, person.facts[attribute])
        asked = [ASK[0], CLOZE[0], others[rng.integers(len(others))]]
        asked += [ASK[-1], CLOZE[-1]] if test_wordings else []
        pairs += [(question.format(attribute=attribute), answer) for question in asked]
    for taught, test, answer in TELL:
        answer = answer.format(name=person.name, **person.facts)
        pairs += [(question, answer) for question in ((taught, test) if test_wordings else (taught,))]
    return [{"Question": question, "Answer": answer} for question, answer in pairs]


def looks(appearance: Appearance, scene: Scene) -> dict[str, str]:
    """What can be seen in a portrait: attribute -> value. A bald head has no hair colour to ask for."""
    seen = {
        "clothing colour": CLOTHING_COLOUR[scene.clothing_colour],
        "background": BACKGROUND[scene.background],
        "glasses": GLASSES[appearance.glasses],
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
