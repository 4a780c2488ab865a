"""Waiting times without work: a second run of a finished study, and the start of every stage.

A stage starts as a new process, as on a cluster, or as a fork (manu.jobs), as on a single machine.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.clock import side_by_side
from benchmarks.sizes import Sizes
from benchmarks.tables import Table
from manu import steps
from manu.core.errors import UserError
from manu.jobs import forkserver
from manu.jobs.imports import slow_imports

RERUN, START = 10.0, 3.0  # targets, seconds
PYTHON, TORCH, TRANSFORMERS = "python alone", "import torch", "import a model class of transformers"
MODELS = ("llava", "idefics2")
HEAVIEST = 3  # packages named per stage
_IMPORT = re.compile(r"import time: +(\d+) \| +(\d+) \| ( *)(\S+)")  # microseconds: of the module, and with its imports


def stage_names() -> list[str]:
    """All stages: the modules of manu.steps that have options."""
    files = sorted(Path(steps.__path__[0]).glob("*.py"))
    return [file.stem for file in files if "\ndef parser()" in file.read_text(encoding="utf-8")]


def answer(sizes: Sizes, folder: Path) -> list[Table]:
    """The tables `rerun`, `start` and `fork`."""
    names = sizes.stages or stage_names()
    return [
        _rerun(sizes.study, sizes.few_repeats),
        _start(names, sizes.few_repeats),
        _fork(names, sizes.repeats, folder),
    ]


def _rerun(study: str, repeats: int) -> Table:
    snakemake = ["-m", "snakemake", "--cores", "2", "--config", f"study={study}"]
    finished = study and "Nothing to be done" in _python(*snakemake, "--dry-run")
    if not finished:
        note = (
            f"Not measured: study `{study}` is not finished here; make study STUDY={study}."
            if study
            else "Not measured."
        )
        return Table(
            "rerun", note, pd.DataFrame(columns=["study", "side", "rounds", "seconds_median", "target_seconds"])
        )
    bare = "snakemake --version"
    sides = {bare: partial(_python, "-m", "snakemake", "--version"), "second run": partial(_python, *snakemake)}
    times = side_by_side(sides, repeats)
    times.insert(0, "study", study)
    times["target_seconds"] = [float("nan"), RERUN]
    caption = f"Seconds of `make study` on a finished study. ratio: to `{bare}`; target: of the median, at most."
    return Table("rerun", caption, times)


def _start(names: Sequence[str], repeats: int) -> Table:
    sides = {
        PYTHON: partial(_python, "-c", "pass"),
        TORCH: partial(_python, "-c", "import torch"),
        TRANSFORMERS: partial(_python, "-c", "from transformers import PreTrainedModel"),
    }
    floors = len(sides)
    sides |= {name: partial(_python, "-m", f"manu.steps.{name}", "--help") for name in names}
    times = side_by_side(sides, repeats)
    times["target_seconds"] = [float("nan")] * floors + [START] * len(names)
    slow = times["seconds_median"] > times["target_seconds"]
    times["heaviest"] = [
        ", ".join(heaviest(side)) if too_slow else "" for side, too_slow in zip(times["side"], slow, strict=True)
    ]
    caption = (
        f"Seconds until a stage has imported its modules and shows its options (`--help`). ratio: to `{PYTHON}`; "
        f"target: of the median, at most; heaviest, if the target is missed: the {HEAVIEST} packages "
        "with the longest import time of their own modules."
    )
    return Table("start", caption, times)


def _fork(names: Sequence[str], repeats: int, folder: Path) -> Table:
    caption = (
        "Seconds until a stage has imported its modules and shows its options (`--help`), as a fork of a process that "
        "has imported torch, the models' classes and other libraries. "
        f"ratio: to `{PYTHON}`; target: of the median, at most."
    )
    if not forkserver.start("bench", slow_imports(MODELS), folder):
        return Table(
            "fork", "Not measured: this system has no fork server.", pd.DataFrame(columns=["side", "seconds_median"])
        )
    sides = {PYTHON: partial(_python, "-c", "pass")}
    sides |= {name: partial(_python, "-m", "manu.jobs.start", f"manu.steps.{name}", "--help") for name in names}
    times = side_by_side(sides, repeats)
    forkserver.stop()
    times["target_seconds"] = [float("nan")] + [START] * len(names)
    return Table("fork", caption, times)


def heaviest(stage: str) -> list[str]:
    """The packages whose modules take longest to import when a stage starts, with milliseconds."""
    printed = _python("-X", "importtime", "-m", f"manu.steps.{stage}", "--help")
    own: dict[str, int] = {}
    for microseconds, _, _, module in _IMPORT.findall(printed):
        package = module.partition(".")[0]
        own[package] = own.get(package, 0) + int(microseconds)
    longest = sorted(own, key=lambda package: own[package], reverse=True)[:HEAVIEST]
    return [f"{package} {own[package] / 1000:.0f} ms" for package in longest]


def _python(*arguments: str) -> str:
    """Run Python with these arguments and return its output. Raises UserError when it fails."""
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        last = (done.stdout.strip().splitlines() or ["no output"])[-1]
        raise UserError(f"python {' '.join(arguments)} failed: {last}")
    return done.stdout
