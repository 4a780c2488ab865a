"""What a job ran with, against what the study and the rules under workflow/ ask for now."""

import os
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stderr
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

from manu.audit.findings import Report
from manu.jobs.job_list import Job

_LONGEST = 100  # letters shown of an option


def check_job(name: str, record: Mapping, job: Job, report: Report) -> None:
    """A record against the job that the workflow lists now: its settings, its seed, its step and its options."""
    if record["configuration"]["path"] != job.settings_file:
        report.fail(name, f"names {record['configuration']['path']} as its configuration, not {job.settings_file}")
    content = record["configuration"]["content"]
    for key, ran, asked in differing(content, job.settings):
        report.fail(name, f"the job ran with {key} {ran}; the study asks for {asked}")
    if record["seed"] != content.get("seed"):
        report.fail(name, f"has seed {record['seed']}; its configuration says {content.get('seed')}")
    try:
        step, options = _started(job.command)
    except (SystemExit, ValueError, ImportError):
        report.fail(name, f"the workflow cannot start the job again: its rule {job.rule} gives the step wrong options")
        return
    before_and_now = (
        {"rule": record["rule"], "step": record["stage"], **record["options"]},
        {"rule": job.rule, "step": step, **options},
    )
    for key, before, now in differing(*before_and_now):
        before, now = (text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…" for text in (before, now))
        report.fail(name, f"the job ran with {key} {before}; the workflow's rules ask for {now}")


def _started(command: str) -> tuple[str, dict[str, Any]]:
    """The step that a command starts, and its options as a record has them. Raises as argparse does."""
    words = shlex.split(command)
    start = words.index("manu.jobs.start") + 1
    parser = import_module(words[start]).parser()
    for name in ("config", "rule", "log"):
        parser.add_argument(f"--{name}")
    with redirect_stderr(StringIO()):
        given = vars(parser.parse_args(words[start + 1 :]))
    return words[start], {name: _plain(value) for name, value in given.items() if name not in ("config", "rule", "log")}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return Path(os.path.relpath(value)).as_posix() if isinstance(value, Path) else value


def differing(one: Any, other: Any, key: str = "") -> Iterator[tuple[str, str, str]]:
    """(key, value in one, value in the other) wherever two configurations differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in dict.fromkeys([*one, *other]):
            inner = f"{key}.{name}" if key else str(name)
            yield from differing(one.get(name, "nothing"), other.get(name, "nothing"), inner)
    elif one != other:
        yield key, str(one), str(other)


def note_changed_rules(root: Path, records: Iterable[Mapping], report: Report) -> None:
    """Rule files that differ from the commit at which jobs ran are noted; what they change for a job is a failure."""
    commits = Counter(record["repository"]["commit"] for record in records)
    for commit, jobs in commits.items():
        command = ["git", "-C", str(root), "diff", "--name-only", "--relative", str(commit), "--", "workflow"]
        listed = subprocess.run(command, capture_output=True, text=True) if commit else None
        if listed and not listed.returncode and listed.stdout:
            files = ", ".join(listed.stdout.split())
            report.notes.append(f"{files}: changed since commit {commit[:12]}, at which {jobs} jobs ran")
