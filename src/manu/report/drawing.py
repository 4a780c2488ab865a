"""A figure's SVG made part of the page: nothing in it runs, loads anything, or meets another figure's ids."""

import re
from xml.etree import ElementTree

from manu.core.errors import UserError

_SHOWN = {
    "svg",
    "g",
    "defs",
    "path",
    "use",
    "clipPath",
    "rect",
    "image",
    "pattern",
    "circle",
    "ellipse",
    "line",
    "polyline",
    "polygon",
    "text",
    "tspan",
    "linearGradient",
    "radialGradient",
    "stop",
    "marker",
    "mask",
    "symbol",
}
_URL = re.compile(r"url\(\s*['\"]?#([^)'\"]+)['\"]?\s*\)")
_PIXELS_PER_POINT = 4 / 3


def inline_svg(text: str, prefix: str) -> tuple[str, int]:
    """(SVG element as HTML, its width in CSS pixels). Every id and every reference to one gets the prefix.

    Only drawing elements stay; styles of their own, scripts, and references out of the file go.
    Raises UserError when the text is no SVG.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UserError(f"figure {prefix}: is not an SVG file ({error})") from error
    if _local(root.tag) != "svg":
        raise UserError(f"figure {prefix}: is not an SVG file (its root is {_local(root.tag)})")
    width = _points(root.get("width")) or _points(" ".join(root.get("viewBox", "").split()[2:3]))
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    _clean(root, prefix)
    return ElementTree.tostring(root, encoding="unicode"), round(width * _PIXELS_PER_POINT)


def _clean(element: ElementTree.Element, prefix: str) -> None:
    element.tag = _local(element.tag)
    attributes = {_local(name): value for name, value in element.attrib.items()}
    element.attrib.clear()
    for name, value in attributes.items():
        kept = _attribute(name, value, prefix)
        if kept is not None:
            element.set(name, kept)
    if element.tag not in ("text", "tspan"):
        element.text = None
    for child in list(element):
        child.tail = child.tail if element.tag in ("text", "tspan") else None
        if isinstance(child.tag, str) and _local(child.tag) in _SHOWN:
            _clean(child, prefix)
        else:
            element.remove(child)


def _attribute(name: str, value: str, prefix: str) -> str | None:
    """The value that an attribute has in the page; None when it has to go."""
    if name.lower().startswith("on"):
        return None
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href":
        inside = value.startswith("data:image/png;base64,")
        return f"#{prefix}-{value[1:]}" if value.startswith("#") else value if inside else None
    if "url(" in _URL.sub("", value):  # a reference out of the file
        return None
    return " ".join(_URL.sub(rf"url(#{prefix}-\1)", value).split())


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _points(text: str | None) -> float:
    found = re.match(r"[\d.]+", text or "")
    return float(found.group()) if found else 0.0
