"""A copy of the repository, so that tests of the workflow leave the repository itself alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Copy:
    """A copy of the repository to run the workflow in, for one study."""

    def __init__(self, folder: Path, study: str = "smoke") -> None:
        self.folder = folder
        self.study = study
        for name in ("Snakefile", "profiles", "workflow", "config", "src", "docs", "README.md", "data/reported"):
            if (ROOT / name).is_dir() and not (ROOT / name).is_symlink():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)

    @classmethod
    def made(cls, folder: Path, study: str = "smoke") -> "Copy":
        """One that is there already."""
        copy = cls.__new__(cls)
        copy.folder, copy.study = folder, study
        return copy

    def snakemake(self, *options: str) -> subprocess.CompletedProcess:
        """Run Snakemake on the study with the copy's package; standard error is part of `stdout`."""
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--config", f"study={self.study}", *options],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONPATH": str(self.folder / "src")},
        )

    def run(self) -> subprocess.CompletedProcess:
        """The study, as `make study` runs it."""
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
