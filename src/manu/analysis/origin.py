"""Where a number in a table or figure comes from: the rows of files that it was computed from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import pandas as pd

PLACE = "row_in_file"
Where = dict[str, tuple[Any, ...]]  # column -> the values that a row may have there


@dataclass(frozen=True)
class Origin:
    """The rows that a number is computed from, and no others.

    sources: names of sources, such as ("answers",) or ("scores",); where: column -> the values that a row may have
    there; column: the column of those rows that is averaged or counted; mean: the number is their plain mean.
    """

    sources: tuple[str, ...]
    where: Where
    column: str
    mean: bool = False


# (row as text by column, a column that is no key) -> where its number comes from; None: nothing says it
OriginOf = Callable[[Mapping[str, str], str], Origin | None]

WHOLE_NUMBERS = ("forget_ratio", "seed", "prune_ratio", "trial", "after", "index")  # keys that are no text


@dataclass(frozen=True)
class From:
    """The numbers of a column, as data: computed from the rows of `sources` that have the row's own value of each of
    `keys`, and one of the `fixed` values.

    value: the column of those rows that is averaged or counted; mean: the number is their plain mean.
    """

    sources: str | tuple[str, ...]
    keys: Sequence[str]
    value: str
    fixed: Where = field(default_factory=dict)
    mean: bool = False

    def where(self, row: Mapping) -> Where:
        """The rows behind a row of the table, whose cells are text or values."""
        return same(row, *self.keys) | self.fixed

    def origin(self, row: Mapping) -> Origin:
        """The origin of this column's number in a row of the table."""
        sources = (self.sources,) if isinstance(self.sources, str) else tuple(self.sources)
        return Origin(sources, self.where(row), self.value, self.mean)


def origins(columns: Mapping[str, From]) -> OriginOf:
    """`origin(row, column)` of a table whose numbers all come from rows that `columns` names."""
    return lambda row, column: columns[column].origin(row) if column in columns else None


def over_seeds_from(source: str, keys: Sequence[str], value: str, of: str, fixed: Where | None = None) -> OriginOf:
    """`origins` of a figure whose rows are means over the rows of a table, one per seed (manu.analysis.seeds).

    value: the figure's column of means; of: the table's column that they are taken over.
    """
    columns = {"ci_low": "ci_low", "ci_high": "ci_high", "n": "n"}
    columns |= {f"{value}{end}": of for end in ("", "_sd", "_lowest", "_highest")}
    return origins({column: From(source, keys, taken, fixed or {}) for column, taken in columns.items()})


def select(frame: pd.DataFrame, where: Where) -> pd.DataFrame:
    """The rows of a frame whose value in each column of `where` is one of those given."""
    for column, values in where.items():
        frame = frame[frame[column].isin(values)]
    return frame


class Rows:
    """The rows of one or several files, and quickly those that have given values.

    Where they come from files, the columns `file` and PLACE say from which one, and which row of it, counted from 0.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self._groups: dict[tuple, Mapping] = {}

    def match(self, where: Mapping[str, tuple]) -> pd.DataFrame:
        """Rows whose value in every column of `where` is among those given, in the files' order."""
        return self.frame.iloc[self.places(where)]

    def by_file(self, where: Mapping[str, tuple]) -> dict[str, list[int]]:
        """The positions of those rows, by file."""
        found: dict[str, list[int]] = {}
        for position in self.places(where):
            found.setdefault(self._files[position], []).append(position)
        return found

    @cached_property
    def _files(self) -> list[str]:
        return self.frame["file"].tolist()

    def places(self, where: Mapping[str, tuple]) -> list[int]:
        """The positions of those rows."""
        columns = tuple(sorted(where))
        if columns not in self._groups:
            self._groups[columns] = self.frame.groupby(list(columns), sort=False).indices
        groups = self._groups[columns]
        keys = product(*(where[column] for column in columns))
        found = [groups[key] for key in (key if len(columns) > 1 else key[0] for key in keys) if key in groups]
        return sorted(index for indices in found for index in indices)


def same(row: Mapping, *keys: str) -> Where:
    """`where` with the row's own value of each key."""
    return {key: (typed(key, row[key]),) for key in keys}


def typed(key: str, value: str | int) -> str | int:
    """The value of a key that may stand as text in a table."""
    return int(value) if key in WHOLE_NUMBERS else value
