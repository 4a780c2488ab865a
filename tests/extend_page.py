"""The files that docs/extend.md shows, as they stand there."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "extend.md"


def files_on_the_page() -> dict[str, str]:
    """Name -> content of every fenced block that says which file it is."""
    return dict(
        re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )
