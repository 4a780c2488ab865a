"""Where a number in a table or figure comes from: rows of files that it was computed from."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """The rows that a number is computed from, and no others.

    options: the stage's options that name the files; where: column -> the values that a row may have there;
    column: the column of those rows that holds what is averaged or counted; mean: the number is their plain mean.
    A stage whose outputs hold numbers offers `origin(options, row, column) -> Origin | None`: options as in
    the job's record, row the text of the row's cells by column, None for a column that holds no such number.
    """

    options: tuple[str, ...]
    where: Mapping[str, tuple]
    column: str
    mean: bool = False


WHOLE_NUMBERS = ("forget_ratio", "seed", "prune_ratio", "trial", "after")  # keys that are no text


def same(row: Mapping[str, str], *keys: str) -> dict[str, tuple]:
    """`where` with the row's own value of each key."""
    return {key: (typed(key, row[key]),) for key in keys}


def typed(key: str, text: str) -> str | int:
    """The value of a key that stands as `text` in a table."""
    return int(text) if key in WHOLE_NUMBERS else text
