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

import pytest

from conftest import TinyStudy

KILLS = int(os.environ.get("MANU_KILLS", 25))
SEED = int(os.environ.get("MANU_KILL_SEED", random.SystemRandom().randrange(10**6)))


@pytest.mark.parametrize("kill", range(KILLS))
def test_after_a_kill_the_next_run_finishes(kill, undisturbed, tmp_path):
    whole, seconds = undisturbed
    after = random.Random(f"{SEED} {kill}").uniform(0, seconds)
    study = TinyStudy(tmp_path)
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--config", "study=tiny"],
        cwd=study.folder,
        env=os.environ | {"PYTHONPATH": str(study.folder / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(after)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    print(f"seed {SEED}: kill {kill} after {after:.1f} of {seconds:.1f} s, {len(study.produced())} outputs there")
    study.run()
    assert study.produced() == whole.produced()
