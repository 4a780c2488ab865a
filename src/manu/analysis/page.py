"""What a table shows on the study's page: blocks of text and grids. The package `report` makes HTML of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from manu.analysis.grid import Cell, Grid, TableOnPage


class Chains(Protocol):
    """Where in the page the chain of jobs behind a number stands; every answer is the id of an element."""

    def file(self, path: str) -> str:
        """The chain of a table or figure."""

    def run(self, model: str, method: str, ratio: str, seed: str | None = None, *, otherwise: str) -> str:
        """The chain of one run; without a seed, of the runs of all seeds; `otherwise` where there is no such run."""


@dataclass(frozen=True)
class Page:
    """What a table may use of the page that it stands on.

    methods: the study's methods in its order; chains: links; tables: the page's tables by the stem of their file,
    without those that hold no row; records: path -> content of the records of the study's jobs.
    """

    methods: Sequence[str]
    chains: Chains
    tables: Mapping[str, TableOnPage]
    records: Mapping[str, Mapping] = field(default_factory=dict)


@dataclass(frozen=True)
class Prose:
    """A paragraph, in Markdown."""

    text: str
    small: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading below the section's own; level: 3 or 4; anchor: its id, if something links to it."""

    text: str
    level: int = 3
    anchor: str = ""


@dataclass(frozen=True)
class Items:
    """A list; each item is a line of Markdown."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Terms:
    """Terms and what each means."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Badges:
    """Coloured words in a line, each after its name. lead: text before them."""

    lead: str
    pairs: Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Fold:
    """Blocks that the reader unfolds by clicking on `summary`."""

    summary: str
    blocks: Sequence["Block"]
    is_open: bool = False


Block = Prose | Heading | Items | Terms | Badges | Fold | Grid
