"""A small study is killed at random moments, and the next run finishes it, the same as one that nobody disturbed.

`make test-faults` runs this, nothing else does: each kill has a study of its own. MANU_KILLS says how many (25),
MANU_KILL_SEED repeats the moments of an earlier run.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from manu.provenance.hashes import sha256_of_file
from workflow_copy import Copy

KILLS = int(os.environ.get("MANU_KILLS", 25))
SEED = int(os.environ.get("MANU_KILL_SEED", random.SystemRandom().randrange(10**6)))
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


def tiny(folder: Path) -> Copy:
    """A copy of the repository with a study of two methods on one small model."""
    copy = Copy(folder, "tiny")
    (folder / "config/studies/tiny.yaml").write_text(TINY)
    return copy


def produced(copy: Copy) -> dict[str, str]:
    """The checksums of what a study says: its answers, scores, tables and figures; costs are each run's own."""
    files = (path for pattern in PATTERNS for path in copy.folder.glob(pattern) if path.name != "costs.csv")
    return {str(path.relative_to(copy.folder)): sha256_of_file(path) for path in files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What an undisturbed run produces, and the seconds that it takes."""
    copy = tiny(tmp_path_factory.mktemp("undisturbed"))
    start = time.monotonic()
    copy.run()
    return produced(copy), time.monotonic() - start


@pytest.mark.parametrize("kill", range(KILLS))
def test_after_a_kill_the_next_run_finishes(kill, undisturbed, tmp_path):
    expected, seconds = undisturbed
    after = random.Random(f"{SEED} {kill}").uniform(0, seconds)
    copy = tiny(tmp_path)
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--config", "study=tiny"],
        cwd=copy.folder,
        env=os.environ | {"PYTHONPATH": str(copy.folder / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(after)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    print(f"seed {SEED}: kill {kill} after {after:.1f} of {seconds:.1f} s, {len(produced(copy))} outputs there")
    copy.run()
    assert produced(copy) == expected and "results/tiny/scores.csv" in expected
