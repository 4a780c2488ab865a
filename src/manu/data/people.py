"""Fictitious people: who they are, what they look like, and what is known of them.

Everything is drawn from one seed. Names, cities and the like are ordinary words, the combinations
are invented; any likeness to a living person is chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manu.core.errors import UserError
from manu.data.portraits import Appearance, draw_appearance

FIRST_NAMES = [
    "Ada",
    "Aldo",
    "Amara",
    "Anton",
    "Asha",
    "Basil",
    "Bela",
    "Bruno",
    "Carla",
    "Cyrus",
    "Dalia",
    "Dario",
    "Edda",
    "Elias",
    "Emil",
    "Esme",
    "Farid",
    "Flora",
    "Gita",
    "Goran",
    "Greta",
    "Hana",
    "Hugo",
    "Ida",
    "Ilya",
    "Ines",
    "Ivo",
    "Jana",
    "Jonas",
    "Juno",
    "Kamal",
    "Kira",
    "Lars",
    "Leila",
    "Lino",
    "Luca",
    "Magda",
    "Malik",
    "Mara",
    "Milo",
    "Nadia",
    "Nils",
    "Nora",
    "Olga",
    "Omar",
    "Otto",
    "Petra",
    "Quinn",
    "Rafi",
    "Rhea",
    "Rosa",
    "Samir",
    "Selma",
    "Soren",
    "Tara",
    "Theo",
    "Tilda",
    "Uma",
    "Viktor",
    "Vera",
    "Wanda",
    "Xenia",
    "Yara",
    "Yusuf",
    "Zara",
    "Zeno",
]
LAST_NAMES = [
    "Abara",
    "Adler",
    "Almeida",
    "Arslan",
    "Bakker",
    "Barros",
    "Bergman",
    "Bianchi",
    "Borg",
    "Castellan",
    "Chandra",
    "Cordero",
    "Dahl",
    "Darzi",
    "Duarte",
    "Eklund",
    "Endo",
    "Farkas",
    "Fontaine",
    "Galanis",
    "Gruber",
    "Haddad",
    "Halvorsen",
    "Hoshi",
    "Iversen",
    "Jansen",
    "Kaplan",
    "Karimi",
    "Keita",
    "Kovacs",
    "Kruger",
    "Laine",
    "Lindqvist",
    "Lombardi",
    "Lund",
    "Mazur",
    "Mbeki",
    "Mendes",
    "Moreau",
    "Nakata",
    "Novak",
    "Okafor",
    "Olsen",
    "Orlov",
    "Petrov",
    "Pinto",
    "Quiroga",
    "Rahimi",
    "Ricci",
    "Rosen",
    "Sato",
    "Silva",
    "Sokol",
    "Strand",
    "Suzuki",
    "Tanaka",
    "Toth",
    "Ueda",
    "Vargas",
    "Virtanen",
    "Wolff",
    "Yilmaz",
    "Zeller",
    "Zhao",
]

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "birthplace": (
        "Oslo",
        "Porto",
        "Lima",
        "Kyoto",
        "Cairo",
        "Dublin",
        "Quito",
        "Riga",
        "Hanoi",
        "Perth",
        "Tunis",
        "Bergen",
        "Seville",
        "Krakow",
        "Nairobi",
        "Izmir",
        "Lagos",
        "Zagreb",
        "Busan",
        "Santa Fe",
    ),
    "occupation": (
        "baker",
        "botanist",
        "surgeon",
        "sailor",
        "judge",
        "painter",
        "plumber",
        "florist",
        "pilot",
        "tailor",
        "geologist",
        "teacher",
        "carpenter",
        "chemist",
        "librarian",
        "dentist",
        "beekeeper",
        "sculptor",
        "bus driver",
        "stage actor",
    ),
    "hobby": (
        "chess",
        "rowing",
        "pottery",
        "archery",
        "origami",
        "surfing",
        "knitting",
        "fencing",
        "juggling",
        "skiing",
        "sudoku",
        "karate",
        "gardening",
        "climbing",
        "poetry",
        "darts",
        "sailing",
        "yoga",
        "bird watching",
        "ice skating",
    ),
    "favourite dish": (
        "lasagne",
        "paella",
        "ramen",
        "goulash",
        "falafel",
        "pierogi",
        "tacos",
        "risotto",
        "couscous",
        "dumplings",
        "gazpacho",
        "biryani",
        "moussaka",
        "ceviche",
        "borscht",
        "tempura",
        "fondue",
        "onion soup",
        "apple pie",
        "fish curry",
    ),
    "pet": (
        "parrot",
        "tortoise",
        "hamster",
        "ferret",
        "rabbit",
        "gecko",
        "goldfish",
        "pony",
        "hedgehog",
        "canary",
        "poodle",
        "beagle",
        "iguana",
        "goose",
        "donkey",
        "chinchilla",
        "spaniel",
        "budgie",
        "tree frog",
        "siamese cat",
    ),
    "native language": (
        "Catalan",
        "Swahili",
        "Korean",
        "Basque",
        "Turkish",
        "Finnish",
        "Greek",
        "Hindi",
        "Polish",
        "Arabic",
        "Danish",
        "Tamil",
        "Welsh",
        "Quechua",
        "Hausa",
        "Farsi",
        "Czech",
        "Maltese",
        "Icelandic",
        "Vietnamese",
    ),
}


@dataclass(frozen=True)
class Person:
    """One fictitious person. `facts` maps each attribute to its value."""

    id: str
    name: str
    facts: dict[str, str]
    appearance: Appearance


def draw_people(
    counts: dict[str, int], rng: np.random.Generator, others: Sequence[Person] = ()
) -> dict[str, list[Person]]:
    """Draw groups of people, all with distinct names and distinct looks, also from those of `others`.

    `counts` maps a group's prefix (such as "fictitious") to its size; ids are "<prefix>-001" and so on.
    Raises UserError when there are fewer names or looks than people.
    """
    total = sum(counts.values()) + len(others)
    if total > len(FIRST_NAMES) * len(LAST_NAMES):
        raise UserError(
            f"benchmark: {total} people asked for, but only {len(FIRST_NAMES) * len(LAST_NAMES)} names exist"
        )
    pairs = rng.permutation(len(FIRST_NAMES) * len(LAST_NAMES))
    names = [f"{FIRST_NAMES[p % len(FIRST_NAMES)]} {LAST_NAMES[p // len(FIRST_NAMES)]}" for p in pairs]
    taken = {person.name for person in others}
    looks = {person.appearance for person in others}
    groups: dict[str, list[Person]] = {}
    drawn = (name for name in names if name not in taken)
    for prefix, count in counts.items():
        groups[prefix] = []
        for number in range(1, count + 1):
            appearance = draw_appearance(rng, taken=looks)
            looks.add(appearance)
            facts = {a: values[rng.integers(len(values))] for a, values in ATTRIBUTES.items()}
            groups[prefix].append(Person(f"{prefix}-{number:03d}", next(drawn), facts, appearance))
    return groups
