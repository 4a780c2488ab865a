"""A number's origin as text for the terminal: the rows behind it and the jobs that made them, as trees."""

import json
from collections.abc import Iterator, Mapping, Sequence

from manu.audit.trace import Tracer, leaves
from manu.provenance.lineage import main_output

_PARTS = 8  # shown of what a number was computed from
_LENGTH = 160  # letters of a configuration
SETTINGS = ("settings", "training", "prune_ratio", "factor")  # of a job's configuration, shown first


def text_list(numbers: Sequence[Mapping]) -> str:
    """One line per number: row, column, value, whether it is the same computed again, and its answers."""
    lines = []
    for number in numbers:
        ends = leaves(number)
        files = list(dict.fromkeys(leaf["file"] for leaf in ends))
        rows = sum(leaf.get("rows", 1) for leaf in ends)
        again = "" if number["same"] else f" (computed again: {number['recomputed']})"
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        name = f"{number['name']} · {number['column']} = {number['value']}{again}"
        lines.append(f"{_mark(number['same'])} {name}  ← {rows} rows in {files[0]}{more}")
    return "\n".join(lines)


def text_tree(tracer: Tracer, number: Mapping) -> str:
    """One number with everything behind it."""
    jobs = tracer.jobs([number])
    lines = [
        number["file"],
        f"  {number['name']} · {number['column']}",
        f"  = {number['value']}  {_mark(number['same'])} computed again: {number['recomputed']}",
        "",
        "Computed from",
        *_part_lines(number["from"], "  "),
        "",
        "Made by (each job from those under it)",
    ]
    return "\n".join([*lines, text_jobs(tracer, number["file"], jobs)])


def text_jobs(tracer: Tracer, file: str, jobs: Sequence[str]) -> str:
    """The jobs behind a file, as a tree, and what they ran on."""
    tree = _job_lines(tracer, tracer.chain.maker(file)[0], set(jobs), "  ", set())
    return "\n".join([*tree, "", *_machine_lines(tracer, jobs)])


def _machine_lines(tracer: Tracer, jobs: Sequence[str]) -> list[str]:
    """Devices, commits, and the time of all jobs together."""
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


def _mark(good: bool) -> str:
    return "✓" if good else "✗"


def _part_lines(parts: Sequence[Mapping], indent: str) -> Iterator[str]:
    inner = indent + "    "
    for part in parts[:_PARTS]:
        if "rows" in part:
            where = ", ".join(f"{key} {' or '.join(map(str, value))}" for key, value in part["where"].items())
            mean = "" if part["mean"] is None else f", mean of {part['column']} {part['mean']:.6f}"
            yield f"{indent}└ {part['file']}: {part['rows']} rows{mean}  {_mark(part['same'])}"
            yield f"{inner}where {where}"
            yield from (f"{inner}· {_example(example, part['column'])}" for example in part["examples"])
            if part["rows"] > len(part["examples"]):
                yield f"{inner}· {part['rows'] - len(part['examples'])} more"
        else:
            n = "" if part["n"] is None else f" (n {part['n']})"
            value = f"{part['column']} {part['value']}{n}  {_mark(part['same'])}"
            yield f"{indent}└ {part['file']}: {part['name']} · {value}"
            yield from _part_lines(part["from"], inner)
    if len(parts) > _PARTS:
        yield f"{indent}└ {len(parts) - _PARTS} more (--json lists all)"


def _example(row: Mapping, column: str) -> str:
    if "question_id" not in row:
        return f"{column} {row[column]}"
    chosen = f", chose {row['choice']!r}" if row["choice"] else ""
    asked = f"{row['question_id']}: {row['prompt']!r} → {row['reply']!r}{chosen}, right: {row['reference']!r}"
    return f"{asked}; {column} {row[column]:g}"


def _job_lines(tracer: Tracer, name: str, wanted: set[str], indent: str, above: set[str]) -> Iterator[str]:
    """A job and, below it, those of `wanted` that it was made from; one that stands above is only named."""
    job, first = tracer.job(name), main_output(tracer.chain.jobs[name])
    cost, outputs = job["cost"], job["outputs"]
    if name in above:
        yield f"{indent}└ {job['rule']} → {first} (above)"
        return
    above.add(name)
    inner = indent + "    "
    more = f" and {len(outputs) - 1} more" if len(outputs) > 1 else ""
    given = {key: value for key, value in job["configuration"].items() if key != "path"}
    given = {key: given[key] for key in (*(key for key in SETTINGS if key in given), *given)}
    text = json.dumps(given, ensure_ascii=False)
    text = text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"
    yield f"{indent}└ {job['rule']} → {first}  sha256 {outputs[first][:12]}{more}  {_mark(not job['problems'])}"
    yield f"{inner}{job['script']}, {cost['wall_seconds']:.1f} s, {cost['peak_memory_bytes'] / 2**30:.1f} GB"
    yield f"{inner}{job['configuration']['path']}: {text}"
    yield from (f"{inner}✗ {problem}" for problem in job["problems"])
    for source in job["made_from"]:
        if source in wanted:
            yield from _job_lines(tracer, source, wanted, inner, above)
