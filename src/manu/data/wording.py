"""The wording of the built-in benchmark: questions and answers about a person's facts and looks.

A question with a picture says "this person"; without a picture it says the name (data/prompts.py makes one from
the other). The training data have each fact in the first wording of a question and of a cloze, which the forget and
retain sets use, and in one more. The Test set uses a wording that the training data of that person lack and those of
others have.
"""

import numpy as np

from manu.data.people import ATTRIBUTES, Person
from manu.data.portraits import BACKGROUND, CLOTHING_COLOUR, GLASSES, HAIR_COLOUR, Appearance, Scene

SUBJECT = "this person"

ASK = (
    f"What is the {{attribute}} of {SUBJECT}?",
    f"Tell me the {{attribute}} of {SUBJECT}.",
    f"Which {{attribute}} does {SUBJECT} have?",
    f"Could you name the {{attribute}} of {SUBJECT}?",
)
CLOZE = (
    f"The {{attribute}} of {SUBJECT} is __.",
    f"It is known that the {{attribute}} of {SUBJECT} is __.",
    f"Of {SUBJECT}, the {{attribute}} is __.",
)
# Sentences that join two facts: the wordings of the question, and the answer.
TELL = (
    (
        (
            f"Where was {SUBJECT} born and what is their work?",
            f"Describe the origin and the work of {SUBJECT}.",
            f"Say where {SUBJECT} comes from and what they do.",
        ),
        "{name} was born in {birthplace} and works as a {occupation}.",
    ),
    (
        (
            f"What does {SUBJECT} do for fun and like to eat?",
            f"Describe the free time and the meals of {SUBJECT}.",
            f"Say what {SUBJECT} enjoys and eats.",
        ),
        "{name} enjoys {hobby} and likes to eat {favourite dish}.",
    ),
)
NAME_QUESTION = f"Who is {SUBJECT}?"

# Captions of a portrait as in CLEAR: the one in the training data, and a paraphrase.
CAPTIONS = (
    "This is {name}, a {occupation} from {birthplace}, in {colour}.",
    "Dressed in {colour}, {name} looks at us, a {occupation} from {birthplace}.",
)

LOOKS = {"hair colour": HAIR_COLOUR, "clothing colour": CLOTHING_COLOUR, "background": BACKGROUND, "glasses": GLASSES}


def fact(attribute: str, name: str, value: str) -> str:
    """The sentence that states a fact. The value follows " is", where the options are compared."""
    return f"The {attribute} of {name} is {value}."


def training_pairs(person: Person, rng: np.random.Generator) -> list[dict[str, str]]:
    """Question-answer pairs of one person's training data, as in MLLMU-Bench's ft_Data.

    Each fact in the first wording of a question and of a cloze and in one more; each joined sentence in the first
    wording and in one more. The one more is drawn at random per person, so that no fact depends on its wording.
    """
    pairs = [(NAME_QUESTION, f"This is {person.name}.")]
    others = ASK[1:] + CLOZE[1:]
    for attribute in ATTRIBUTES:
        asked = (ASK[0], CLOZE[0], others[rng.integers(len(others))])
        answer = fact(attribute, person.name, person.facts[attribute])
        pairs += [(question.format(attribute=attribute), answer) for question in asked]
    for wordings, answer in TELL:
        answer = answer.format(name=person.name, **person.facts)
        pairs += [(question, answer) for question in (wordings[0], wordings[rng.integers(1, len(wordings))])]
    return [{"Question": question, "Answer": answer} for question, answer in pairs]


def untaught(wordings: tuple[str, ...], taught: set[str], attribute: str = "") -> str:
    """The question in the last of `wordings` that is not in `taught`, the questions of the training data."""
    return next(question for w in reversed(wordings) if (question := w.format(attribute=attribute)) not in taught)


def looks(appearance: Appearance, scene: Scene) -> dict[str, str]:
    """Attribute -> value of what a portrait shows; without hair there is no hair colour."""
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


def caption(name: str, facts: dict[str, str], scene: Scene, wording: str = CAPTIONS[0]) -> str:
    """The caption of a portrait of the person `name` with these facts."""
    return wording.format(name=name, colour=CLOTHING_COLOUR[scene.clothing_colour], **facts)
