"""The whole story of one number: the rows that it comes from down to single answers, and the jobs that made them."""

import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from manu.analysis.cells import DECIMALS, read_cells
from manu.analysis.origin import Origin
from manu.audit.chain import Chain, job_problems, script
from manu.audit.exhibits import (
    KEY_COLUMNS,
    PLACE,
    Rows,
    numbers_of,
    origin_of,
    read_rows,
    row_name,
    stage_module,
)
from manu.audit.recompute import replay
from manu.core.errors import UserError
from manu.evaluation.more_metrics import with_metrics
from manu.evaluation.scoring import score_answers
from manu.provenance.lineage import files

PICTURES = (".png", ".svg", ".md")
_WORD = re.compile(r"(\w+=)'([^']*)'|([^\s,]+)")  # of --row
EXAMPLES = 3  # answers shown of those that a number averages
SETTINGS = ("settings", "training", "prune_ratio", "factor")  # of a job's configuration, shown first


class Tracer:
    """Traces the numbers of one study's tables and figures below the working folder.

    deep: score the answers behind each number again, and hold each score to the mean of its answers; examples: how
    many of them to tell of each number, None: all.
    """

    def __init__(self, chain: Chain, deep: bool = False, examples: int | None = EXAMPLES) -> None:
        self.chain, self.deep, self.examples = chain, deep, examples
        self._rows: dict[tuple[str, ...], Rows] = {}
        self._traced: dict[tuple, list[dict[str, Any]]] = {}
        self._text: dict[str, list[dict[str, str]]] = {}
        self._again: dict[str, list[dict[str, str]]] = {}

    def holds_numbers(self, file: str) -> bool:
        """Whether the stage that wrote `file` can say where its numbers come from."""
        return hasattr(stage_module(self.chain.maker(file)[1]), "origin")

    def table_of(self, file: str) -> str:
        """The CSV with the numbers of `file`: itself, or the one that its job wrote beside a picture or a text."""
        if Path(file).suffix not in PICTURES:
            return file
        _, record = self.chain.maker(file)
        beside = [name for name in files(record["outputs"]) if name.endswith(".csv")]
        if not beside:
            raise UserError(f"{file}: its job wrote no CSV with the numbers that it shows")
        return beside[0]

    def numbers(self, file: str, row: str | None, column: str | None) -> list[dict[str, Any]]:
        """The numbers of a table, of its rows that hold all words of `row`, in one column or in all of them.

        Raises UserError that lists what there is.
        """
        _, record = self.chain.maker(file)
        cells = read_cells(Path(file))
        if not cells and not row:
            return []  # a figure may have nothing to show
        chosen = rows_with(cells, row or "")
        if not chosen:
            known = "\n  ".join(dict.fromkeys(row_name(cell) for cell in cells))
            raise UserError(f"{file}: no row holds '{row}'; its rows:\n  {known}")
        places = {id(cell): place for place, cell in enumerate(cells)}
        found = [(c, where, origin) for c, where, origin in numbers_of(record, chosen) if column in (None, where)]
        if not found:
            numeric = [name for name in cells[0] if name not in KEY_COLUMNS]
            raise UserError(f"{file}: no number in a column '{column}'; its columns: {', '.join(numeric)}")
        again = self._computed_again(record, file)
        listed = []
        for cell, where, origin in found:
            index = places[id(cell)]
            value = again[index].get(where) if again and index < len(again) else None
            number = {"file": file, "row": dict(cell), "column": where, "value": cell[where], "recomputed": value}
            parts = self._parts(record, origin)
            same = cell[where] == value and all(part["same"] for part in parts)
            listed.append(number | {"same": same, "from": parts})
        return listed

    def _computed_again(self, record: Mapping, file: str) -> list[dict[str, str]]:
        if file not in self._again:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    self._again[file] = read_cells(replay(record, Path(folder))[file])
                except (OSError, ValueError, KeyError) as error:
                    raise UserError(f"{file} cannot be computed again from its inputs: {error}") from error
        return self._again[file]

    def _parts(self, record: Mapping, origin: Origin | None) -> list[dict[str, Any]]:
        """What a number was computed from, file by file: its rows there and, for scores, theirs in turn."""
        if origin is None:
            return []
        names = tuple(file for source in origin.sources for file in record["inputs"].get(source, ()))
        key = (names, tuple(sorted(origin.where.items())), origin.column)
        if key not in self._traced:  # several numbers come from the same rows: a mean, its spread, an interval's ends
            self._traced[key] = self._traced_to(names, origin)
        return self._traced[key]

    def _traced_to(self, names: tuple[str, ...], origin: Origin) -> list[dict[str, Any]]:
        if names not in self._rows:
            self._rows[names] = read_rows(names)
        matched = self._rows[names].match(origin.where)
        parts = []
        for file, rows in matched.groupby("file", sort=False):
            if file.endswith(".csv") and file in self.chain.producers:
                parts += [self._score(file, place, origin.column) for place in rows[PLACE].tolist()]
            else:
                where = {key: list(values) for key, values in origin.where.items()}
                parts.append(self._answers(file, rows, where, origin.column))
        return parts

    def _score(self, file: str, place: int, column: str) -> dict[str, Any]:
        _, record = self.chain.maker(file)
        text = self._cells(file)[place]
        origin = origin_of(record, text, column)
        parts = self._parts(record, origin)
        same = all(part["same"] for part in parts)
        if origin and origin.mean and parts:
            mean = sum(part["mean"] * part["rows"] for part in parts) / sum(part["rows"] for part in parts)
            same = same and round(mean, DECIMALS) == float(text[column])
        keys = {key: text[key] for key in text if key in KEY_COLUMNS}
        return {
            "file": file,
            "row": keys,
            "column": column,
            "value": text[column],
            "n": text.get("n"),
            "same": same,
            "from": parts,
        }

    def _cells(self, file: str) -> list[dict[str, str]]:
        if file not in self._text:
            self._text[file] = read_cells(Path(file))
        return self._text[file]

    def _answers(self, file: str, rows: pd.DataFrame, where: dict, column: str) -> dict[str, Any]:
        stored = column in rows
        if not stored:  # a metric from outside the package
            rows = with_metrics(rows, [column])
        shown = [c for c in ("profile_id", "question_id", "prompt", "reference", "reply", "choice") if c in rows]
        examples = rows.iloc[: self.examples][[*shown, column]].to_dict("records")
        part = {"file": file, "where": where, "column": column, "rows": len(rows), "examples": examples}
        same = not (self.deep and stored and "reply" in rows) or bool(
            (score_answers(rows)[column] == rows[column]).all()
        )
        mean = float(rows[column].mean()) if is_numeric_dtype(rows[column]) else None
        return part | {"mean": mean, "same": same}

    def jobs(self, numbers: Sequence[Mapping]) -> list[str]:
        """Records of the jobs on the numbers' chains, results first: those that made the files the numbers were
        traced to, and everything that those were made from."""
        ends = dict.fromkeys(file for number in numbers for file in _ends(number))
        between = dict.fromkeys(file for number in numbers for file in _between(number))
        wanted: dict[str, None] = {}

        def visit(name: str) -> None:
            if name not in wanted:
                wanted[name] = None
                for source in self.chain.sources_of(name):
                    visit(source)

        for file in ends:
            if file in self.chain.jobs:  # a record: of what the job cost
                visit(file)
            elif file in self.chain.producers:  # else in git, such as the published numbers
                visit(self.chain.maker(file)[0])
        for file in between:
            if file in self.chain.producers:
                wanted.setdefault(self.chain.maker(file)[0])
        return [name for name in reversed(self.chain.ordered()) if name in wanted]

    def job(self, name: str) -> dict[str, Any]:
        """A job in short, with what is wrong about its record, if anything."""
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


def rows_with(rows: Iterable[Mapping[str, str]], words: str) -> list[Mapping[str, str]]:
    """The rows that hold all words. A word is a value, column=value, or column='value with spaces'."""
    listed = ["".join(parts) for parts in _WORD.findall(words)]
    return [row for row in rows if _fits(row, listed)]


def _fits(row: Mapping[str, str], words: Iterable[str]) -> bool:
    """Whether a row holds every word, as a word of a key column or as the value of the column that it names."""
    known = {each for name in row if name in KEY_COLUMNS for each in (row[name], *row[name].split())}
    for word in words:
        key, _, value = word.rpartition("=")
        if (row.get(key) != value) if key else (value not in known):
            return False
    return True


def _leaves(part: Mapping) -> list[Mapping]:
    """The ends of a number's trace: rows of answers or masks."""
    inner = part.get("from")
    return [leaf for each in inner for leaf in _leaves(each)] if inner else [part]


def _ends(part: Mapping) -> list[str]:
    """Their files."""
    return [leaf["file"] for leaf in _leaves(part)]


def _between(part: Mapping) -> list[str]:
    """The tables on the way to them."""
    return [part["file"]] + [file for each in part.get("from") or () for file in _between(each)]


def questions_behind(numbers: Sequence[Mapping]) -> dict[str, list[str]]:
    """Answer file -> the ids of the questions in it that the numbers come from. Raises UserError if there are none."""
    found: dict[str, list[str]] = {}
    for number in numbers:
        for part in _leaves(number):
            if part["file"].endswith(".parquet"):
                frame = pd.read_parquet(part["file"], columns=[*part["where"], "question_id"])
                for column, values in part["where"].items():
                    frame = frame[frame[column].isin(values)]
                found.setdefault(part["file"], []).extend(frame["question_id"])
    if not found:
        raise UserError("--reask: no answers stand behind these numbers")
    return found


def text_list(numbers: Sequence[Mapping]) -> str:
    """Numbers one line each: row, column, value, whether computed again the same, and where their answers are."""
    lines = []
    for number in numbers:
        ends = list(dict.fromkeys(_ends(number)))
        rows = sum(leaf.get("rows", 1) for leaf in _leaves(number))
        more = f" and {len(ends) - 1} more" if len(ends) > 1 else ""
        lines.append(
            f"{_mark(number)} {row_name(number['row'])} · {number['column']} = {number['value']}{_again(number)}"
            f"  ← {rows} rows in {ends[0]}{more}"
        )
    return "\n".join(lines)


def text_tree(tracer: Tracer, number: Mapping) -> str:
    """One number with everything behind it, as a tree."""
    lines = [f"{number['file']}", f"  {row_name(number['row'])} · {number['column']}"]
    lines.append(f"  = {number['value']}  {_mark(number)} computed again: {number['recomputed']}")
    lines.append("")
    lines.append("Computed from")
    lines += _part_lines(number["from"], "  ")
    lines.append("")
    lines.append("Made by (each job from those under it)")
    jobs = tracer.jobs([number])
    lines += _job_lines(tracer, tracer.chain.maker(number["file"])[0], set(jobs), "  ", set())
    return "\n".join([*lines, "", *_machine_lines(tracer, jobs)])


def text_jobs(tracer: Tracer, file: str, jobs: Sequence[str]) -> str:
    """The jobs behind a file that holds no numbers of its own, as a tree."""
    lines = _job_lines(tracer, tracer.chain.maker(file)[0], set(jobs), "  ", set())
    return "\n".join([*lines, "", *_machine_lines(tracer, jobs)])


def _machine_lines(tracer: Tracer, jobs: Sequence[str]) -> list[str]:
    """What the jobs ran on, each once: device, commit, and their time together."""
    records = [tracer.chain.jobs[name] for name in jobs]
    used = [record["device"] for record in records if record["device"]["threads"]]
    devices = {f"{d['gpu'] or d['processor']}, {d['instructions']}, {d['system']}" for d in used}
    commits = {f"{r['repository']['commit']}{'' if r['repository']['clean'] else ' with changes'}" for r in records}
    seconds = sum(record["cost"]["wall_seconds"] for record in records)
    return [
        f"Ran on {'; '.join(sorted(devices)) or 'unknown'}",
        f"Commit {'; '.join(sorted(commits))}",
        f"{len(records)} jobs, {seconds:.0f} s together",
    ]


def _mark(number: Mapping) -> str:
    return "✓" if number["same"] else "✗"


def _again(number: Mapping) -> str:
    return "" if number["same"] else f" (computed again: {number['recomputed']})"


def _part_lines(parts: Sequence[Mapping], indent: str) -> list[str]:
    lines = []
    for part in parts[:8]:
        if "rows" in part:
            where = ", ".join(f"{key} {' or '.join(map(str, value))}" for key, value in part["where"].items())
            mean = "" if part["mean"] is None else f", mean of {part['column']} {part['mean']:.6f}"
            lines.append(f"{indent}└ {part['file']}: {part['rows']} rows{mean}  {_mark(part)}")
            lines.append(f"{indent}    where {where}")
            lines += [f"{indent}    · {_example(example, part['column'])}" for example in part["examples"]]
            if part["rows"] > len(part["examples"]):
                lines.append(f"{indent}    · {part['rows'] - len(part['examples'])} more")
        else:
            n = "" if part["n"] is None else f" (n {part['n']})"
            value = f"{part['column']} {part['value']}{n}  {_mark(part)}"
            lines.append(f"{indent}└ {part['file']}: {row_name(part['row'])} · {value}")
            lines += _part_lines(part["from"], indent + "    ")
    if len(parts) > 8:
        lines.append(f"{indent}└ {len(parts) - 8} more (--json lists all)")
    return lines


def _example(row: Mapping, column: str) -> str:
    if "question_id" not in row:
        return f"{column} {row[column]}"
    chosen = f", chose {row['choice']!r}" if row["choice"] else ""
    return f"{row['question_id']}: {row['prompt']!r} → {row['reply']!r}{chosen}, right: {row['reference']!r}; " + (
        f"{column} {row[column]:g}"
    )


def _job_lines(tracer: Tracer, name: str, wanted: set[str], indent: str, above: set[str]) -> list[str]:
    job = tracer.job(name)
    cost, outputs = job["cost"], job["outputs"]
    first = max(outputs, key=lambda file: file.endswith(("model.safetensors", ".csv")))
    more = f" and {len(outputs) - 1} more" if len(outputs) > 1 else ""
    mark = "✗" if job["problems"] else "✓"
    if name in above:
        return [f"{indent}└ {job['rule']} → {first} (above)"]
    above.add(name)
    inner = indent + "    "
    keys = {key: value for key, value in job["configuration"].items() if key != "path"}
    keys = {key: keys[key] for key in (*filter(keys.__contains__, SETTINGS), *keys)}
    lines = [
        f"{indent}└ {job['rule']} → {first}  sha256 {outputs[first][:12]}{more}  {mark}",
        f"{inner}{job['script']}, {cost['wall_seconds']:.1f} s, {cost['peak_memory_bytes'] / 2**30:.1f} GB",
        f"{inner}{job['configuration']['path']}: {_short(json.dumps(keys, ensure_ascii=False))}",
    ]
    lines += [f"{inner}✗ {problem}" for problem in job["problems"]]
    for source in job["made_from"]:
        if source in wanted:
            lines += _job_lines(tracer, source, wanted, inner, above)
    return lines


def _short(text: str, length: int = 160) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
