"""A table as it stands in its file: cells of text, the same byte for byte on every run."""

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from manu.core.errors import UserError
from manu.evaluation.vocabulary import REFERENCES

DECIMALS = 6  # of every number that is written


def read_cells(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as text by column. Raises UserError when it is not one."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, strict=True))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error})") from error


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV: floats with DECIMALS digits after the point, a prune ratio (percent) in its shortest form; what
    is not defined is an empty cell."""
    if "prune_ratio" in table:
        shown = ["" if pd.isna(ratio) else f"{ratio:g}" for ratio in pd.to_numeric(table["prune_ratio"])]
        table = table.assign(prune_ratio=shown)
    return table.to_csv(index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")


def markdown_table(columns: Mapping[str, Sequence[str]], words: Collection[str] = ("method",)) -> str:
    """A Markdown table: heading -> the cells of the column; numbers stand at the right, `words` at the left."""
    sides = ["left" if heading in words else "right" for heading in columns]
    escaped = {escape(heading): cells for heading, cells in columns.items()}
    return pd.DataFrame(escaped).to_markdown(index=False, disable_numparse=True, colalign=sides)


def percent_text(fraction: float | None, empty: str = "–", sign: str = "") -> str:
    """A fraction in percent, one decimal; `empty` where there is none."""
    return empty if fraction is None or pd.isna(fraction) else f"{100 * fraction:{sign}.1f}"


def escape(text: object) -> str:
    """Text that Markdown shows as it is, also inside a table cell."""
    escaped = str(text).replace("\\", "\\\\").replace("\n", " ")
    for mark in "|*_`<>[]#~":
        escaped = escaped.replace(mark, f"\\{mark}")
    return escaped


def row_order(methods: Iterable[str]) -> list[str]:
    """The order of a table's rows: the reference models, then the methods as the study lists them."""
    return [*REFERENCES, *(method for method in methods if method not in REFERENCES)]


def in_order(known: Iterable[str], column: pd.Series) -> list[str]:
    """Those of the known words that a column holds, in the order in which they are known."""
    there = set(column)
    return [word for word in known if word in there]


def sort_rows(rows: pd.DataFrame, keys: Sequence[str], order: Mapping[str, Sequence]) -> pd.DataFrame:
    """The rows sorted by `keys`, with a new index. Equal rows keep their order.

    order: key -> its values in their order, for keys that are not sorted by value. Raises ValueError on other values.
    """

    def rank(column: pd.Series) -> pd.Series:
        return column.map(list(order[str(column.name)]).index) if column.name in order else column

    return rows.sort_values(list(keys), key=rank, kind="stable", ignore_index=True)


def rounded(table: pd.DataFrame, columns: Iterable[str] = ("value", "ci_low", "ci_high")) -> pd.DataFrame:
    """The table with these columns as float64, rounded to DECIMALS."""
    return table.assign(**table[list(columns)].astype("float64").round(DECIMALS))


def in_percent(rows: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """A copy of the rows with these columns, fractions, as float64 in percent."""
    return rows.assign(**(100.0 * rows[list(columns)].astype("float64")))
