"""Text in aligned columns for the terminal."""

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

WIDTH = 110  # columns where the output is no terminal


def in_columns(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells as aligned text, wrapped to the terminal's width."""
    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else WIDTH, markup=False, emoji=False, highlight=False)
    with console.capture() as printed:
        console.print(table)
    return "\n".join(line.rstrip() for line in printed.get().splitlines())
