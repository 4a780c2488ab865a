"""The origin of one number: the rows that it was computed from, down to single answers, and the jobs that made them."""

import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from manu.analysis.cells import DECIMALS, read_cells
from manu.analysis.origin import Origin
from manu.audit.answers import unequal
from manu.audit.chain import Chain, job_problems
from manu.audit.findings import Report
from manu.audit.numbers import PLACE, keys_of, named, numbers_of, origin_of, read_rows, row_name, stage_module
from manu.audit.replay import replay
from manu.core.errors import UserError
from manu.evaluation.more_metrics import with_metrics
from manu.evaluation.scoring import score_answers
from manu.provenance.lineage import files, script

PAGES = (".png", ".svg", ".md")  # show numbers that a CSV beside them has
EXAMPLES = 3  # answers shown of those that a number averages
_WORD = re.compile(r"(\w+=)'([^']*)'|([^\s,]+)")  # of --row
_SHOWN = ("profile_id", "question_id", "prompt", "reference", "reply", "choice")
Part = dict[str, Any]  # what a number was computed from: rows of one file, or one row of a table with its own parts


class Tracer:
    """Follows the numbers of one study's tables and figures, in the working folder.

    Every number is computed again, the answers behind it are scored again, and each score is compared with the mean of
    its answers. examples: how many of those answers to list; None: all, 0: none. replayed: the tables were compared
    with what their jobs write now, so their numbers count as computed again.
    """

    def __init__(self, chain: Chain, examples: int | None = EXAMPLES, replayed: bool = False) -> None:
        self.chain, self.examples = chain, examples
        self._cells = cache(lambda file: read_cells(Path(file)))
        self._rows = cache(read_rows)
        self._scored = cache(_scored)
        self._again = self._cells if replayed else cache(self._computed_again)
        self._traced: dict[tuple, list[Part]] = {}

    def holds_numbers(self, file: str) -> bool:
        """Whether the stage that wrote `file` can say where its numbers come from."""
        return hasattr(stage_module(self.chain.maker(file)[1]), "origin")

    def table_of(self, file: str) -> str:
        """The CSV with the numbers of `file`: itself, or the one that its job wrote beside a picture or a text."""
        if Path(file).suffix not in PAGES:
            return file
        _, record = self.chain.maker(file)
        beside = [name for name in files(record["outputs"]) if name.endswith(".csv")]
        if not beside:
            raise UserError(f"{file}: its job wrote no CSV with the numbers that it shows")
        return beside[0]

    def numbers(self, file: str, row: str | None = None, column: str | None = None) -> list[Part]:
        """The numbers of a table, of its rows that hold all words of `row`, in one column or in all of them.

        Raises UserError that lists the rows or the columns where none fits.
        """
        _, record = self.chain.maker(file)
        cells = self._cells(file)
        if not cells and not row:
            return []  # a figure may have nothing to show
        keys = keys_of(record)
        chosen = rows_with(cells, row or "", keys)
        if not chosen:
            known = "\n  ".join(dict.fromkeys(row_name(cell, keys) for cell in cells))
            raise UserError(f"{file}: no row holds '{row}'; its rows:\n  {known}")
        found = [each for each in numbers_of(record, chosen) if column in (None, each[1])]
        if not found:
            numeric = ", ".join(name for name in cells[0] if name not in keys)
            raise UserError(f"{file}: no number in a column '{column}'; its columns: {numeric}")
        places = {id(cell): place for place, cell in enumerate(cells)}
        again = self._again(file)
        listed = []
        for cell, name, origin in found:
            place = places[id(cell)]
            value = again[place].get(name) if place < len(again) else None
            parts = self._parts(record, origin)
            same = cell[name] == value and all(part["same"] for part in parts)
            number = {
                "file": file,
                "row": dict(cell),
                "name": row_name(cell, keys),
                "column": name,
                "value": cell[name],
            }
            listed.append(number | {"recomputed": value, "same": same, "from": parts})
        return listed

    def _computed_again(self, file: str) -> list[dict[str, str]]:
        with tempfile.TemporaryDirectory() as folder:
            try:
                return read_cells(replay(self.chain.maker(file)[1], Path(folder))[file])
            except (OSError, ValueError, KeyError) as error:
                raise UserError(f"{file} cannot be computed again from its inputs: {error}") from error

    def _parts(self, record: Mapping, origin: Origin | None) -> list[Part]:
        """What a number was computed from: rows of files, or rows of other tables, each with its own parts."""
        if origin is None:
            return []
        names = tuple(file for source in origin.sources for file in record["inputs"].get(source, ()))
        key = (names, tuple(sorted(origin.where.items())), origin.column)
        if key not in self._traced:  # several numbers share their rows: a mean, its spread, an interval's ends
            self._traced[key] = list(self._traced_to(names, origin))
        return self._traced[key]

    def _traced_to(self, names: tuple[str, ...], origin: Origin) -> Iterator[Part]:
        frame = self._rows(names).frame
        for file, positions in self._rows(names).by_file(origin.where).items():
            if file.endswith(".csv") and file in self.chain.producers:
                yield from (self._row(file, place, origin.column) for place in frame[PLACE].iloc[positions])
            else:
                where = {key: list(values) for key, values in origin.where.items()}
                yield {"file": file, "where": where} | self._answers(file, frame, positions, origin.column)

    def _row(self, file: str, place: int, column: str) -> Part:
        """One row of a table, with what its number was computed from."""
        _, record = self.chain.maker(file)
        row = self._cells(file)[place]
        origin = origin_of(record, row, column)
        parts = self._parts(record, origin)
        same = all(part["same"] for part in parts)
        if origin and origin.mean and parts:
            mean = sum(part["mean"] * part["rows"] for part in parts) / sum(part["rows"] for part in parts)
            same = same and round(mean, DECIMALS) == float(row[column])
        keys = keys_of(record)
        part = {"file": file, "row": named(row, keys), "name": row_name(row, keys), "column": column}
        return part | {"value": row[column], "n": row.get("n"), "same": same, "from": parts}

    def _answers(self, file: str, frame: pd.DataFrame, positions: list[int], column: str) -> Part:
        """Rows of one file: how many, the mean of their column, and whether they get the same scores again."""
        same = True
        if column not in frame:  # a metric from outside the package
            values = with_metrics(frame.iloc[positions], [column])[column]
        else:
            values = frame[column].iloc[positions]
            if file.endswith(".parquet") and column in (scored := self._scored(file)):
                same = not unequal(values, scored[column].iloc[frame[PLACE].iloc[positions]]).any()
        mean = float(values.mean()) if is_numeric_dtype(values) else None
        part = {"column": column, "rows": len(values), "examples": [], "mean": mean, "same": same}
        if self.examples != 0:
            shown = frame[[name for name in _SHOWN if name in frame]].iloc[positions[: self.examples]]
            part["examples"] = shown.assign(**{column: values.iloc[: self.examples].array}).to_dict("records")
        return part

    def jobs(self, numbers: Sequence[Mapping]) -> list[str]:
        """Records of the jobs behind the numbers, results first: those that made the files that the numbers were
        traced to, everything that those were made from, and the tables in between."""
        makers = self.chain.producers  # files in git, such as the published numbers, have none
        ends = {leaf["file"] for number in numbers for leaf in leaves(number)}
        records = [
            name if name in self.chain.jobs else makers.get(name) for name in ends
        ]  # a record says what a job cost
        wanted = self.chain.behind(name for name in records if name)
        between = {file for number in numbers for file in _between(number)}
        wanted |= {makers[file]: None for file in between if file in makers}
        return [name for name in reversed(self.chain.ordered()) if name in wanted]

    def job(self, name: str) -> dict[str, Any]:
        """A job in short, and the problems of its record."""
        record = self.chain.jobs[name]
        return {
            "record": name,
            "rule": record["rule"],
            "script": script(record),
            "configuration": {"path": record["configuration"]["path"], **record["configuration"]["content"]},
            "outputs": files(record["outputs"]),
            "made_from": self.chain.sources_of(name),
            "commit": record["repository"]["commit"],
            "device": record["device"],
            "cost": record["cost"],
            "problems": [f"{where}: {what}" for what, where in job_problems(self.chain, name)],
        }


def _scored(file: str) -> pd.DataFrame:
    """A file of answers with its scores computed again; a file of what attacks measured as it is."""
    answers = pd.read_parquet(file)
    return score_answers(answers) if {"task", "choice"} <= {*answers} else answers


def rows_with(rows: Iterable[Mapping[str, str]], words: str, keys: Collection[str]) -> list[Mapping[str, str]]:
    """The rows that hold all words. A word is in a column of `keys`, or it is column=value or column='a value'."""
    listed = ["".join(parts) for parts in _WORD.findall(words)]
    return [row for row in rows if _fits(row, listed, keys)]


def _fits(row: Mapping[str, str], words: Iterable[str], keys: Collection[str]) -> bool:
    """Whether a row holds every word, as a word of a key or as the value of the column that it names."""
    known = {word for text in named(row, keys).values() for word in (text, *text.split())}
    for word in words:
        key, _, value = word.rpartition("=")
        if (row.get(key) != value) if key else (value not in known):
            return False
    return True


def leaves(part: Mapping) -> list[Mapping]:
    """The ends of a number's trace: rows of answers, masks or published numbers."""
    inner = part.get("from")
    return [leaf for each in inner for leaf in leaves(each)] if inner else [part]


def _between(part: Mapping) -> list[str]:
    """The tables on the way to the ends."""
    return [part["file"], *(file for each in part.get("from") or () for file in _between(each))]


def check_numbers(numbers: Iterable[Mapping], report: Report) -> None:
    """Numbers that a tracer followed are the same computed again, and so is everything behind them."""
    for number in numbers:
        what = ""
        if number["value"] != number["recomputed"]:
            what = f"{number['value']}; computed again: {number['recomputed']}"
        elif not number["from"]:
            what = "the rows that it comes from do not exist, or nothing says which they are"
        elif not number["same"]:
            what = "the answers or scores behind it give another number"
        if what:
            report.fail(f"{number['file']} ({number['name']}), column {number['column']}", what, computed=True)


def answers_behind(numbers: Sequence[Mapping]) -> dict[str, list[int]]:
    """Answer file -> the rows in it that the numbers come from. Raises UserError if there are none."""
    found: dict[str, set[int]] = {}
    for part in (leaf for number in numbers for leaf in leaves(number)):
        if part["file"].endswith(".parquet"):
            frame = pd.read_parquet(part["file"], columns=list(part["where"]))
            here = frame.isin(part["where"]).all(axis=1)
            found.setdefault(part["file"], set()).update(here[here].index)
    if not found:
        raise UserError("--reask: these numbers do not come from answers")
    return {file: sorted(rows) for file, rows in found.items()}
