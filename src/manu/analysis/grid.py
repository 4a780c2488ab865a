"""A table of the page: its columns, its rows of cells, and what a number carries: a link and the audit's command."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

EMPTY = "\N{EN DASH}"
_UNQUOTABLE = set('"$`\\!')  # what double quotes do not keep from the shell


@dataclass(frozen=True)
class TableOnPage:
    """A CSV file of the study: its path and its rows, every cell as the text that stands there."""

    path: str
    rows: Sequence[Mapping[str, str]]

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return PurePosixPath(self.path).stem


@dataclass(frozen=True)
class Cell:
    """What a cell shows: its text, smaller words beside it, and where the text links to (an id of the page)."""

    text: str
    small: str = ""
    link: str = ""
    command: str = ""
    look: str = ""  # class of the cell


@dataclass(frozen=True)
class Column:
    """A column's head, the head over several columns, and the class of its heads: "multimodal", "text" or none."""

    head: str
    group: str = ""
    look: str = ""
    words: bool = False  # set at the left, not at the right


@dataclass(frozen=True)
class Grid:
    """A table as it is shown.

    sticky: how many first columns stay when it is scrolled; starts: rows that open a block; kind: "" or "stack" (its
    rows become cards on a narrow screen) or "glance" (verdicts at a glance).
    """

    label: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    sticky: int = 1
    starts: frozenset[int] = field(default_factory=frozenset)
    kind: str = ""

    @property
    def groups(self) -> list[tuple[str, int, str]]:
        """(head, columns that it spans, class) of the upper row of heads; empty when no column has a group."""
        found: list[tuple[str, int, str]] = []
        for column in self.columns:
            if found and found[-1][0] == column.group:
                found[-1] = (column.group, found[-1][1] + 1, "")
            else:
                found.append((column.group, 1, ""))
        return found if any(column.group for column in self.columns) else []


def is_empty(text: str | None) -> bool:
    """Whether a cell of a CSV file holds nothing."""
    return text is None or text in ("", "nan")


def minus(text: str) -> str:
    """A number with the sign for less, and no negative zero."""
    if text.startswith("-") and not text.strip("-0."):
        text = text[1:]
    return text.replace("-", "\N{MINUS SIGN}")


def percent(text: str) -> str:
    """A fraction in percent, one decimal."""
    return minus(f"{100 * float(text):.1f}")


def decimals(places: int) -> Callable[[str], str]:
    """A form that shows so many decimals."""
    return lambda text: minus(f"{float(text):.{places}f}")


def interval(row: Mapping[str, str] | None, form: Callable[[str], str]) -> str:
    """A row's interval in brackets; empty where it has none, or where there is no row."""
    ends = [(row or {}).get(name, "") for name in ("ci_low", "ci_high")]
    return "" if any(map(is_empty, ends)) else f"[{form(ends[0])}, {form(ends[1])}]"


def spread(row: Mapping[str, str] | None, column: str, form: Callable[[str], str]) -> str:
    """`± 0.4`: a standard deviation over seeds; empty where there is none, or no row."""
    return "" if row is None or is_empty(row.get(column)) else f"\N{PLUS-MINUS SIGN} {form(row[column])}"


def command(path: str, row: Mapping[str, str], keys: Sequence[str], column: str) -> str:
    """The command that audits one number: the row by its `keys`, then the column.

    A key is given as key=value, a value with spaces in it in quotes; one with a quote of its own as its bare words.
    """
    there = [(key, row[key]) for key in keys if not is_empty(row.get(key))]
    words = " ".join(
        f"{key}={value}" if not {" ", ","} & set(value) else value if "'" in value else f"{key}='{value}'"
        for key, value in there
    )
    quoted = shlex.quote(words) if _UNQUOTABLE & set(words) else f'"{words}"'
    return f"manu audit {shlex.quote(path)} --row {quoted} --column {column}"


def number(
    table: TableOnPage,
    row: Mapping[str, str] | None,
    column: str,
    keys: Sequence[str],
    link: str,
    form: Callable[[str], str] = percent,
    small: str = "",
) -> Cell:
    """The cell of a number: shown by `form`, linked to its chain (an id), with its command; a dash if there is none,
    or no row."""
    if row is None or is_empty(row.get(column)):
        return Cell(EMPTY, look="number")
    return Cell(form(row[column]), small, link, command(table.path, row, keys, column), "number")


def name(text: str, small: str = "", link: str = "") -> Cell:
    """The cell of a word that says what the row is about."""
    return Cell(text, small, link, look="name")


def words(text: str) -> Cell:
    """The cell of a sentence."""
    return Cell(text, look="words")
