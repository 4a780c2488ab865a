"""A table for the page with fewer digits than its file has."""

from manu.analysis.grid import TableOnPage


def shortened(table: TableOnPage) -> TableOnPage:
    """The table with four digits of each number that has a fraction: `62.92` for `62.921348`."""
    return TableOnPage(table.path, [{column: _short(text) for column, text in row.items()} for row in table.rows])


def _short(text: str) -> str:
    try:
        return f"{float(text):.4g}" if "." in text else text
    except ValueError:
        return text
