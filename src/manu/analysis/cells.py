"""A table as it stands in its file: cells of text, the same byte for byte on every run."""

import csv
from pathlib import Path

import pandas as pd

from manu.core.errors import UserError

DECIMALS = 6  # of every number that is written


def read_cells(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as text by column. Raises UserError when it is not one."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, strict=True))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error})") from error


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV, floats with DECIMALS digits after the point; what is not defined is an empty cell."""
    return table.to_csv(index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")
