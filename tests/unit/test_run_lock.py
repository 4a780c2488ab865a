"""One run of a study at a time."""

import subprocess
import sys

import pytest

from manu.core import run_lock
from manu.core.errors import UserError

HOLDER = """
import sys, time
from pathlib import Path
from manu.core import run_lock
run_lock.hold("mini", Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of the study mini in tmp_path."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_run_is_told_who_holds_the_lock(holder, tmp_path):
    with pytest.raises(UserError, match=rf"study 'mini' is being run in this folder already, by process {holder.pid};"):
        run_lock.hold("mini", tmp_path)


def test_another_study_may_run_beside_it(holder, tmp_path):
    run_lock.hold("smoke", tmp_path)


def test_a_killed_run_leaves_no_lock(holder, tmp_path):
    holder.kill()
    holder.wait()
    run_lock.hold("mini", tmp_path)
