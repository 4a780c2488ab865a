"""A small study of two methods on one model, and what it says when nothing disturbs it."""

import time
from pathlib import Path

import pytest

from manu.provenance.hashes import sha256_of_file
from workflow_copy import Copy

TINY = """
extends: smoke
benchmark: {people: 10, public_figures: 2, strangers: 4, portraits: 1}
models: {llava: {training: {base: {epochs: 1}, vanilla: {epochs: 1}}}}
tuning: {}
methods:
  npo: {learning_rate: 1.0e-4, epochs: 1, batch_size: 4}
  manu: {prune_ratio: 10}
capacity: {prune_ratios: []}
ablation: {}
figures: [tradeoff]
"""
PATTERNS = ("results/tiny/answers/**/*.parquet", "results/tiny/*.csv", "results/tiny/tables/*", "figures/tiny/*")


class TinyStudy(Copy):
    """A copy of the repository with that study."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "tiny")
        (folder / "config/studies/tiny.yaml").write_text(TINY)

    def produced(self) -> dict[str, str]:
        """The checksums of what it says: answers, scores, tables and figures; costs are each run's own."""
        files = (path for pattern in PATTERNS for path in self.folder.glob(pattern) if path.name != "costs.csv")
        return {
            str(path.relative_to(self.folder)): sha256_of_file(path) for path in files if ".provenance" not in path.name
        }


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A finished study, and the seconds that it took."""
    study = TinyStudy(tmp_path_factory.mktemp("undisturbed"))
    start = time.monotonic()
    study.run()
    assert "results/tiny/scores.csv" in study.produced()
    return study, time.monotonic() - start
