"""Making a page: its template, style and scripts are the files beside this one; values from data are escaped."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent


def environment() -> Environment:
    """The templates of this folder; undefined names are errors, values are escaped."""
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def own(name: str) -> str:
    """The text of a file beside this one."""
    return (FOLDER / name).read_text(encoding="utf-8")


def allowed(script: str) -> str:
    """The checksum of a script in the page's content security policy."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
