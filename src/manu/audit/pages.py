"""Numbers in the repository's pages, filled from the snapshots in results/reference/: `make pages`.

A number in prose stands between two comments, the first of which is a name, such as `<!--name-->72<!--/-->`.
docs/numbers.yaml has the query of each name. The words of a query are a file below results/reference/, filters
`column=value` (several values with commas between), a column, a statistic if several rows are meant, and how to print:

    baselines-forget-name: mini/scores.csv method=ga,npo split=forget modality=text value range percent

The table of all snapshots, with machine and cost, stands between `<!--runs-->` and `<!--/-->`.
"""

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from manu.core.errors import UserError
from manu.core.files import write_text

REFERENCE = Path("results/reference")
NUMBERS = Path("docs/numbers.yaml")
PAGES = ("*.md", "config/*.md", "docs/*.md", "data/*.md", "figures/*.md", "notebooks/*.md", "results/*.md")
_NUMBER = re.compile(r"(<!--(?P<name>[\w-]+)-->)[^<]*(<!--/-->)")
_FORMATS: dict[str, Callable[[float], str]] = {
    "percent": lambda number: _rounded(100 * number, "1"),  # a fraction as whole percent
    "tenths": lambda number: _rounded(100 * number, "0.1"),  # a fraction as percent with one decimal
    "minus": lambda number: _rounded(-100 * number, "1"),  # a loss, in points
    "whole": lambda number: _rounded(number, "1"),
    "decimal": lambda number: _rounded(number, "0.01"),
}
_STATISTICS = ("only", "range", "lowest", "highest", "sum", "count")


def fill_pages(root: Path = Path()) -> list[str]:
    """Write every page that has numbers anew; return the names of the pages that changed."""
    changed = []
    for page, text in filled(root):
        if text != page.read_text(encoding="utf-8"):
            write_text(page, text)
            changed.append(page.relative_to(root).as_posix())
    return changed


def filled(root: Path = Path()) -> Iterator[tuple[Path, str]]:
    """Every page, and its text with its numbers computed again. Raises as `fill`."""
    for page in sorted(page for pattern in PAGES for page in root.glob(pattern)):
        yield page, fill(page.read_text(encoding="utf-8"), root, page.relative_to(root).as_posix())


def fill(text: str, root: Path, page: str) -> str:
    """The text of a page with its numbers computed again. Raises UserError, which names the page and the number."""
    queries = yaml.safe_load((root / NUMBERS).read_text(encoding="utf-8"))

    def number(match: re.Match) -> str:
        name = match["name"]
        if name == "runs":
            return f"{match[1]}\n{runs(root)}{match[3]}"
        if name not in queries:
            raise UserError(f"{page}: {name}: {NUMBERS} has no such name")
        try:
            return f"{match[1]}{value(queries[name], root)}{match[3]}"
        except (KeyError, OSError, ValueError) as error:
            raise UserError(f"{page}: {name}: {queries[name]}: {error}") from error

    return _NUMBER.sub(number, text)


def value(query: str, root: Path = Path()) -> str:
    """What a query prints. Raises KeyError for a column and ValueError for words or rows that do not fit."""
    file, *words = shlex.split(query)
    statistic = next((word for word in words if word in _STATISTICS), "only")
    style = next((word for word in words if word in _FORMATS), "")
    columns = [word for word in words if "=" not in word and word not in (statistic, style)]
    table = _table(root / REFERENCE / file)
    for key, wanted in (word.split("=", 1) for word in words if "=" in word):
        table = table[table[key].astype(str).isin([wanted, *wanted.split(",")])]
    if statistic == "count":
        return str(len(table))
    if len(columns) != 1 or not len(table):
        raise ValueError(f"{len(table)} rows, columns {columns}; needed: at least one row, one column")
    cells = table[columns[0]]
    if statistic == "only" and len(set(cells)) != 1:
        raise ValueError(f"{len(cells)} rows with several values; needed: one value, or one of {_STATISTICS[1:]}")
    if not style:
        return str(cells.iloc[0])
    printed = _FORMATS[style]
    if statistic == "range":
        low, high = sorted((printed(cells.min()), printed(cells.max())), key=float)
        return low if low == high else f"{low} to {high}"
    return printed({"only": cells.min, "lowest": cells.min, "highest": cells.max, "sum": cells.sum}[statistic]())


def runs(root: Path = Path()) -> str:
    """A Markdown table of the snapshots: jobs, minutes of all jobs added up, processor, commit."""
    lines = ["| study | jobs | minutes of all jobs | processor | commit |", "|---|---:|---:|---|---|"]
    for path in sorted((root / REFERENCE).glob("*/run.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        rules = _table(path)
        devices = ", ".join(sorted({f"{d['processor']}, {d['instructions']}" for d in run["devices"]}))
        commits = ", ".join(f"`{commit[:7]}`" for commit in run["commits"])
        changed = "" if run["clean"] else ", with changes that were not committed"
        minutes = _FORMATS["whole"](rules["minutes"].sum())
        lines.append(f"| `{path.parent.name}` | {rules['jobs'].sum()} | {minutes} | {devices} | {commits}{changed} |")
    return "\n".join(lines) + "\n"


@cache
def _table(path: Path) -> pd.DataFrame:
    """A table of a snapshot; of a run.json the rules, with jobs and minutes."""
    if path.suffix != ".json":
        return pd.read_csv(path)
    rules = json.loads(path.read_text(encoding="utf-8"))["rules"]
    rows = [{"rule": rule, "jobs": cost["jobs"], "minutes": cost["wall_seconds"] / 60} for rule, cost in rules.items()]
    return pd.DataFrame(rows)


def _rounded(number: float, digits: str) -> str:
    return str(Decimal(repr(round(float(number), 9))).quantize(Decimal(digits), ROUND_HALF_UP))


def main() -> int:
    """Fill all pages; print those that changed, or the first mistake. Returns the exit code."""
    try:
        changed = fill_pages()
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write("".join(f"{name}\n" for name in changed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
