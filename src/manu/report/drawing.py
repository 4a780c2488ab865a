"""A figure's SVG as a picture in the page. A browser runs no script in a picture, and loads nothing for it."""

import re
from urllib.parse import quote

from manu.core.errors import UserError

_SVG = re.compile(r'<svg\s[^>]*\bviewBox="\S+ \S+ ([\d.]+) ([\d.]+)"')
_PIXELS_PER_POINT = 4 / 3
_KEPT = " =';,<>"  # what the address holds as it is, to be short; none of it ends an attribute in double quotes
_COMMENTS = re.compile(r"<!--.*?-->", re.DOTALL)


def picture(text: str, name: str) -> tuple[str, int, int]:
    """(data address of an SVG file, its width and height in CSS pixels). Raises UserError if the text is no SVG."""
    size = _SVG.search(text)
    if size is None:
        raise UserError(f"figure {name}: is not an SVG file with a viewBox")
    width, height = (round(float(points) * _PIXELS_PER_POINT) for points in size.groups())
    plain = " ".join(_COMMENTS.sub("", text).split())
    if "'" not in plain:
        plain = plain.replace('"', "'")
    return f"data:image/svg+xml,{quote(plain, safe=_KEPT)}", width, height
