"""A table as it stands in its file: cells of text."""

import csv
from pathlib import Path

from manu.errors import UserError


def read_cells(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as text by column. Raises UserError when it is not one."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, strict=True))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error})") from error
