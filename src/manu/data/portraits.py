"""Portraits: a person's lasting looks, a passing scene, and the picture of both.

Identity is skin, hair, hair colour, beard and glasses; expression, clothing and background belong to
the scene, so that one person can be drawn many times. Drawn by python-avatars, rasterised by resvg.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import python_avatars as avatars
import resvg_py

from manu.core.errors import UserError

SKIN = ("PALE", "LIGHT", "TANNED", "BROWN", "DARK_BROWN", "BLACK")
HAIR = (  # of python-avatars; each but NONE shows the hair colour
    "NONE",
    "BIG_HAIR",
    "BOB",
    "BUN",
    "CAESAR",
    "CURLY",
    "CURVY",
    "DREADS",
    "FRIDA",
    "FRO",
    "LONG_NOT_TOO_LONG",
    "MIA_WALLACE",
    "SHAGGY",
    "SHORT_CURLY",
    "SHORT_FLAT",
    "SHORT_WAVED",
    "STRAIGHT_1",
    "MOHAWK",
    "PIXIE",
    "POMPADOUR",
)
HAIR_COLOUR = {
    "BLACK": "black",
    "BLONDE_GOLDEN": "blonde",
    "BROWN": "brown",
    "AUBURN": "auburn",
    "PASTEL_PINK": "pink",
    "RED": "red",
    "SILVER_GRAY": "silver",
}
BEARD = ("NONE", "BEARD_LIGHT", "BEARD_MAGESTIC", "MOUSTACHE_FANCY", "MOUSTACHE_MAGNUM")
GLASSES = {
    "NONE": "none",
    "PRESCRIPTION_2": "square",
    "ROUND": "round",
    "SUNGLASSES": "dark",
    "EYEPATCH": "an eyepatch",
}
EYES = ("DEFAULT", "HAPPY", "SIDE", "SQUINT", "SURPRISED", "WINK")
EYEBROWS = ("DEFAULT", "FLAT_NATURAL", "RAISED_EXCITED", "SAD_CONCERNED", "UP_DOWN")
MOUTH = ("DEFAULT", "SMILE", "TWINKLE", "SERIOUS", "SAD", "DISBELIEF", "EATING")
CLOTHING = (
    "BLAZER_SHIRT",
    "BLAZER_SWEATER",
    "COLLAR_SWEATER",
    "HOODIE",
    "OVERALL",
    "SHIRT_CREW_NECK",
    "SHIRT_V_NECK",
)
CLOTHING_COLOUR = {
    "BLACK": "black",
    "BLUE_02": "blue",
    "GRAY_02": "grey",
    "PASTEL_GREEN": "green",
    "PASTEL_ORANGE": "orange",
    "PASTEL_YELLOW": "yellow",
    "RED": "red",
    "WHITE": "white",
}
BACKGROUND = {
    "#65c9ff": "blue",
    "#8fd694": "green",
    "#f7c873": "yellow",
    "#f2a2b7": "pink",
    "#b9a3e3": "purple",
    "#d9d9d9": "grey",
    "#e08a5b": "orange",
    "#ffffff": "white",
}


@dataclass(frozen=True)
class Appearance:
    """What stays the same in every picture of a person (names of python-avatars' parts)."""

    skin: str
    hair: str
    hair_colour: str
    beard: str
    glasses: str

    @property
    def shows_hair_colour(self) -> bool:
        """Whether there is hair or a beard, which has the same colour."""
        return self.hair != "NONE" or self.beard != "NONE"


@dataclass(frozen=True)
class Scene:
    """What changes from picture to picture."""

    eyes: str
    eyebrows: str
    mouth: str
    clothing: str
    clothing_colour: str
    background: str


def _pick(rng: np.random.Generator, values) -> str:
    values = tuple(values)
    return values[rng.integers(len(values))]


def visible_differences(one: Appearance, other: Appearance) -> int:
    """In how many of the five features the portraits of two people differ; hair colour counts where both show it."""
    coloured = one.shows_hair_colour and other.shows_hair_colour
    return sum(
        (
            one.skin != other.skin,
            one.hair != other.hair,
            coloured and one.hair_colour != other.hair_colour,
            one.beard != other.beard,
            one.glasses != other.glasses,
        )
    )


def draw_appearance(rng: np.random.Generator, taken: Collection[Appearance], tries: int = 10_000) -> Appearance:
    """Draw looks that differ from everybody in `taken` in at least two features that a portrait shows."""
    for _ in range(tries):
        look = Appearance(
            _pick(rng, SKIN), _pick(rng, HAIR), _pick(rng, HAIR_COLOUR), _pick(rng, BEARD), _pick(rng, GLASSES)
        )
        if all(visible_differences(look, other) >= 2 for other in taken):
            return look
    raise UserError(f"benchmark: no distinct looks left after {len(taken)} people; ask for fewer people or strangers")


def draw_scene(rng: np.random.Generator, other_than: Scene | None = None) -> Scene:
    """Draw a scene; with `other_than`, its mouth, clothing, clothing colour and background all differ from that."""

    def among(values, field: str):
        return [v for v in values if other_than is None or v != getattr(other_than, field)]

    return Scene(
        _pick(rng, among(EYES, "eyes")),
        _pick(rng, EYEBROWS),
        _pick(rng, among(MOUTH, "mouth")),
        _pick(rng, among(CLOTHING, "clothing")),
        _pick(rng, among(CLOTHING_COLOUR, "clothing_colour")),
        _pick(rng, among(BACKGROUND, "background")),
    )


def render(appearance: Appearance, scene: Scene, size: int) -> bytes:
    """Draw a square portrait of `size` pixels as PNG bytes; the same arguments give the same bytes."""
    avatar = avatars.Avatar(
        style=avatars.AvatarStyle.TRANSPARENT,
        top=avatars.HairType[appearance.hair],
        hair_color=avatars.HairColor[appearance.hair_colour],
        facial_hair=avatars.FacialHairType[appearance.beard],
        facial_hair_color=avatars.HairColor[appearance.hair_colour],
        skin_color=avatars.SkinColor[appearance.skin],
        accessory=avatars.AccessoryType[appearance.glasses],
        eyes=avatars.EyeType[scene.eyes],
        eyebrows=avatars.EyebrowType[scene.eyebrows],
        nose=avatars.NoseType.DEFAULT,
        mouth=avatars.MouthType[scene.mouth],
        clothing=avatars.ClothingType[scene.clothing],
        clothing_color=avatars.ClothingColor[scene.clothing_colour],
    )
    # 264 x 280 is the drawing's canvas; its lower part is cut so that the picture is square.
    svg = avatar.render().replace('width="264px" height="280px" viewBox="0 0 264 280"', 'viewBox="0 8 264 264"')
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg, width=size, height=size, background=scene.background, skip_system_fonts=True
        )
    )
