"""The whole story of one number: the rows that it comes from down to single answers, and the jobs that made them."""

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from manu.audit.chain import Chain, files, job_problems, script
from manu.audit.exhibits import KEY_COLUMNS, Rows, numbers_of, origin_of, read_cells, read_rows, row_name
from manu.audit.recompute import replay
from manu.errors import UserError

PICTURES = (".png", ".svg", ".md")
EXAMPLES = 3  # answers shown of those that a number averages


class Tracer:
    """Traces the numbers of one study's tables and figures below the working folder."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._rows: dict[tuple[str, ...], Rows] = {}
        self._again: dict[str, list[dict[str, str]]] = {}

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

        A word of `row` is a value, or column=value. Raises UserError that lists what there is.
        """
        _, record = self.chain.maker(file)
        cells = read_cells(Path(file))
        chosen = [cell for cell in cells if _fits(cell, (row or "").replace(",", " ").split())]
        if not chosen:
            known = "\n  ".join(dict.fromkeys(row_name(cell) for cell in cells))
            raise UserError(f"{file}: no row holds '{row}'; its rows:\n  {known}")
        found = [(c, where, origin) for c, where, origin in numbers_of(record, chosen) if column in (None, where)]
        if not found:
            numeric = [name for name in cells[0] if name not in KEY_COLUMNS]
            raise UserError(f"{file}: no number in a column '{column}'; its columns: {', '.join(numeric)}")
        again = self._computed_again(record, file)
        listed = []
        for cell, where, origin in found:
            index = cells.index(cell)
            value = again[index].get(where) if again and index < len(again) else None
            number = {"file": file, "row": dict(cell), "column": where, "value": cell[where], "recomputed": value}
            listed.append(number | {"same": cell[where] == value, "from": self._parts(record, origin)})
        return listed

    def _computed_again(self, record: Mapping, file: str) -> list[dict[str, str]]:
        if file not in self._again:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    self._again[file] = read_cells(replay(record, Path(folder))[file])
                except (OSError, ValueError, KeyError) as error:
                    raise UserError(f"{file} cannot be computed again from its inputs: {error}") from error
        return self._again[file]

    def _parts(self, record: Mapping, origin) -> list[dict[str, Any]]:
        """What a number was computed from, file by file: its rows there and, for scores, theirs in turn."""
        if origin is None:
            return []
        names = tuple(file for option in origin.options for file in record["inputs"][option])
        if names not in self._rows:
            self._rows[names] = read_rows(names)
        matched = self._rows[names].match(origin.where)
        parts = []
        for file, rows in matched.groupby("file", sort=False):
            if file.endswith(".csv"):
                parts += [self._score(file, row, origin.column) for row in rows.to_dict("records")]
            else:
                where = {key: list(values) for key, values in origin.where.items()}
                parts.append(self._answers(file, rows, where, origin.column))
        return parts

    def _score(self, file: str, row: dict, column: str) -> dict[str, Any]:
        _, record = self.chain.maker(file)
        text = {key: str(value) for key, value in row.items() if key != "file"}
        part = {"file": file, "row": {key: text[key] for key in text if key in KEY_COLUMNS and text[key] != "nan"}}
        return part | {"column": column, "value": row[column], "n": row.get("n"),
                       "from": self._parts(record, origin_of(record, text, column))}  # fmt: skip

    def _answers(self, file: str, rows: pd.DataFrame, where: dict, column: str) -> dict[str, Any]:
        shown = [c for c in ("profile_id", "question_id", "prompt", "reference", "reply", "choice") if c in rows]
        examples = rows.head(EXAMPLES)[[*shown, column]].to_dict("records")
        part = {"file": file, "where": where, "column": column, "rows": len(rows), "examples": examples}
        return part | {"mean": float(rows[column].mean())}

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
            visit(self.chain.maker(file)[0])
        for file in between:
            wanted.setdefault(self.chain.maker(file)[0])
        return [name for name in reversed(self.chain.ordered()) if name in wanted]

    def closure(self, file: str) -> list[str]:
        """Records of the job that wrote `file` and of everything that it was made from, results first."""
        return self.jobs([{"file": file}])

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


def _fits(row: Mapping[str, str], words: Iterable[str]) -> bool:
    """Whether a row holds every word, in a key column or in the one that the word names."""
    for word in words:
        key, _, value = word.rpartition("=")
        if key and row.get(key) != value:
            return False
        if not key and value not in (row[name] for name in row if name in KEY_COLUMNS):
            return False
    return True


def _ends(part: Mapping) -> list[str]:
    """The files at the ends of a number's trace: answers or masks."""
    inner = part.get("from")
    return [file for each in inner for file in _ends(each)] if inner else [part["file"]]


def _between(part: Mapping) -> list[str]:
    """The tables on the way to them."""
    return [part["file"]] + [file for each in part.get("from") or () for file in _between(each)]


def text_list(numbers: Sequence[Mapping]) -> str:
    """Numbers one line each: row, column, value, whether computed again the same, and where their answers are."""
    lines = []
    for number in numbers:
        ends = list(dict.fromkeys(_ends(number)))
        rows = sum(_rows(part) for part in number["from"])
        more = f" and {len(ends) - 1} more files" if len(ends) > 1 else ""
        lines.append(
            f"{_mark(number)} {row_name(number['row'])} · {number['column']} = {number['value']}{_again(number)}"
            f"  ← {rows} rows in {ends[0]}{more}"
        )
    return "\n".join(lines)


def text_tree(tracer: Tracer, number: Mapping) -> str:
    """One number with everything behind it, as a tree."""
    lines = [f"{number['file']}", f"  {row_name(number['row'])} · {number['column']}"]
    lines.append(f"  = {number['value']}  {_mark(number)}{_again(number) or ' computed again: the same'}")
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
    devices = {
        ", ".join(str(value) for value in (device["gpu"] or device["processor"], device["instructions"], device["system"]))
        for device in (record["device"] for record in records if record["device"]["threads"])
    }
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


def _rows(part: Mapping) -> int:
    return part["rows"] if "rows" in part else sum(_rows(each) for each in part["from"])


def _part_lines(parts: Sequence[Mapping], indent: str) -> list[str]:
    lines = []
    for part in parts[:8]:
        if "rows" in part:
            where = ", ".join(f"{key} {' or '.join(map(str, value))}" for key, value in part["where"].items())
            mean = f", mean of {part['column']} {part['mean']:.6f}"
            lines.append(f"{indent}└ {part['file']}: {part['rows']} rows{mean}")
            lines.append(f"{indent}    where {where}")
            lines += [f"{indent}    · {_example(example, part['column'])}" for example in part["examples"]]
            if part["rows"] > len(part["examples"]):
                lines.append(f"{indent}    · {part['rows'] - len(part['examples'])} more")
        else:
            n = "" if part["n"] is None else f" (n {part['n']})"
            lines.append(f"{indent}└ {part['file']}: {row_name(part['row'])} · {part['column']} {part['value']}{n}")
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
    if name in above:
        return [f"{indent}└ {job['rule']} → {first} (above)"]
    above.add(name)
    inner = indent + "    "
    keys = {key: value for key, value in job["configuration"].items() if key != "path"}
    lines = [
        f"{indent}└ {job['rule']} → {first}  sha256 {outputs[first][:12]}{more}  {'✗' if job['problems'] else '✓'}",
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
