"""The smoke study, run once for all tests of the workflow, in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Copy:
    """A copy of the repository to run the workflow in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Snakefile", "profiles", "workflow", "config", "src", "docs", "README.md", "data/reported"):
            if (ROOT / name).is_dir() and not (ROOT / name).is_symlink():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)

    def snakemake(self, *options: str) -> subprocess.CompletedProcess:
        """Run Snakemake on the smoke study with the copy's package; standard error is part of `stdout`."""
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--config", "study=smoke", *options],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONPATH": str(self.folder / "src")},
        )

    def run(self) -> subprocess.CompletedProcess:
        """The study, as `make study STUDY=smoke` runs it."""
        done = self.snakemake("--cores", "2")
        assert done.returncode == 0, done.stdout
        return done

    def planned(self, *targets: str) -> tuple[dict[str, int], set[str]]:
        """What a run would start: jobs per rule, without `all`; and the methods that they are for."""
        done = self.snakemake("--dry-run", *targets)
        assert done.returncode == 0, done.stdout
        table = done.stdout.split("Job stats:")[-1].split("total")[0] if "Job stats:" in done.stdout else ""
        jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
        jobs.pop("all", None)
        return jobs, set(re.findall(r"method=(\w+)", done.stdout))

    def times(self) -> dict[str, int]:
        """When each produced file was last written."""
        produced = (path for top in ("data", "results", "figures") for path in (self.folder / top).rglob("*"))
        return {str(path.relative_to(self.folder)): path.stat().st_mtime_ns for path in produced if path.is_file()}


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """The finished smoke study and what its first run said."""
    copy = Copy(tmp_path_factory.mktemp("study"))
    return copy, copy.run().stdout


@pytest.fixture
def copy(study):
    """The finished study; a test leaves it finished."""
    return study[0]


@pytest.fixture
def edited(copy):
    """Edit files of the copy for one test."""
    originals = {}

    def edit(name: str, old: str, new: str) -> None:
        path = copy.folder / name
        text = path.read_text()
        assert old in text
        originals.setdefault(path, text)
        path.write_text(text.replace(old, new, 1) if old else text + new)

    yield edit
    for path, text in originals.items():
        path.write_text(text)
