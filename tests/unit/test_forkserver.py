"""Jobs are run by forks of a process that has imported what they need, and begin and end as they do by themselves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from manu.jobs import forkserver

SOURCE = Path(__file__).parents[2] / "src"
OWNER = """
import sys, time
from pathlib import Path
from manu.jobs import forkserver
assert forkserver.start("tiny", ["colorsys", "there.is_none", "email:nor_this", "multiprocessing"], Path("."))
print(forkserver._running[0][0].pid, flush=True)
time.sleep(60)
"""
JOB = """
import json, os, signal, sys, time
print(json.dumps({
    "main": __name__, "stage": sys.modules["__main__"].__spec__.name, "arguments": sys.argv[1:], "folder": os.getcwd(),
    "colour": os.environ.get("COLOUR"), "parent": os.getppid(), "process": os.getpid(), "input": sys.stdin.readline(),
    "imported": [name for name in ("colorsys", "email", "manu", "manu.jobs", "__mp_main__") if name in sys.modules],
}), flush=True)
if "wait" in sys.argv:
    time.sleep(60)
if "killed" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
if "fails" in sys.argv:
    raise RuntimeError("as it does")
sys.stderr.write("to the other file\\n")
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a module to run as a job."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (tmp_path / "job.py").write_text(JOB)
    return tmp_path


@pytest.fixture
def owner(folder):
    """A process that has started a server, of which it said the id."""
    process = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    process.server = int(process.stdout.readline())
    yield process
    process.kill()
    process.wait()


def command(*arguments: str, **environment: str) -> subprocess.Popen:
    """The command of a job, just started."""
    return subprocess.Popen(
        [sys.executable, "-m", "manu.jobs.start", "job", *arguments],
        env=os.environ | {"MANU_FORK_SERVER": "tiny.sock"} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen) -> dict:
    """What a job that goes on says of itself."""
    process.stdin.write("asked\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def wait_for_end(process: int) -> None:
    """Wait until a process that is not this one's child has ended."""
    for _ in range(200):
        try:
            if "State:\tZ" in Path(f"/proc/{process}/status").read_text():
                return
        except (FileNotFoundError, ProcessLookupError):  # it ended before, or while its state was read
            return
        time.sleep(0.05)
    raise AssertionError(f"process {process} goes on")


def test_a_fork_runs_the_job_with_the_commands_files_folder_environment_and_exit_code(owner, folder):
    job = command("3", "two words", COLOUR="blue")
    out, err = job.communicate("typed\n")
    found = json.loads(out)
    assert found.pop("parent") == owner.server
    assert found.pop("process") not in (owner.server, job.pid)
    assert found == {
        "main": "__main__",
        "stage": "job",
        "arguments": ["3", "two words"],
        "folder": str(folder),
        "colour": "blue",
        "input": "typed\n",
        "imported": ["colorsys", "email"],
    }
    assert (err, job.returncode) == ("to the other file\n", 3)


def test_jobs_run_side_by_side_and_each_ends_by_itself(owner):
    first, second = command("1"), command("2")
    assert (second.communicate("b\n")[0] != "", second.returncode) == (True, 2)
    assert first.poll() is None
    assert (first.communicate("a\n")[0] != "", first.returncode) == (True, 1)


@pytest.mark.parametrize("how", ["no server", "a server that has gone", "another number of threads"])
def test_without_a_server_the_command_runs_the_job_itself(folder, request, how):
    environment = {"MANU_FORK_SERVER": ""}
    if how == "a server that has gone":
        owner = request.getfixturevalue("owner")
        owner.kill()
        wait_for_end(owner.server)
        assert (folder / "tiny.sock").exists()
        environment = {}
    elif how == "another number of threads":
        request.getfixturevalue("owner")
        environment = {"OMP_NUM_THREADS": "2"}
    job = command("3", **environment)
    out, err = job.communicate("typed\n")
    found = json.loads(out)
    assert (found["process"], found["stage"], found["arguments"], found["imported"]) == (job.pid, "job", ["3"], [])
    assert (err, job.returncode) == ("to the other file\n", 3)


def test_the_socket_of_a_run_that_was_killed_is_replaced_and_is_the_users_own(folder):
    (folder / "tiny.sock").write_text("left over")
    done = subprocess.run(
        [sys.executable, "-c", OWNER.replace("time.sleep(60)", "print(oct(Path('tiny.sock').stat().st_mode))")],
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[1] == "0o140600"
    assert not (folder / "tiny.sock").exists()


def test_a_jobs_exception_and_signal_are_the_commands(owner):
    failed = command("0", "fails")
    _, err = failed.communicate("\n")
    assert (failed.returncode, err.splitlines()[-1]) == (1, "RuntimeError: as it does")
    killed = command("0", "killed")
    killed.communicate("\n")
    assert killed.returncode == -signal.SIGKILL


def test_another_system_has_no_server(folder, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not forkserver.start("tiny", [], folder)
    assert list(folder.iterdir()) == [folder / "job.py"] and "MANU_FORK_SERVER" not in os.environ


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_job_ends_with_its_command_and_the_server_goes_on(owner, number):
    job = command("0", "wait")
    process = said(job)["process"]
    job.send_signal(number)
    job.wait()
    wait_for_end(process)
    after = command("4")
    assert json.loads(after.communicate("\n")[0])["parent"] == owner.server
    assert after.returncode == 4


def test_server_and_jobs_end_with_their_owner_however_it_ends(owner):
    job = command("0", "wait")
    process = said(job)["process"]
    owner.kill()
    wait_for_end(owner.server)
    wait_for_end(process)
    assert job.wait() != 0


def test_interrupting_the_terminal_ends_the_job_not_the_server(owner):
    job = command("0", "wait")
    os.kill(said(job)["process"], signal.SIGINT)
    os.kill(owner.server, signal.SIGINT)
    job.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in job.communicate()[1]
    assert job.returncode != 0
    after = command("5")
    assert json.loads(after.communicate("\n")[0])["parent"] == owner.server


def test_a_server_that_is_stopped_is_no_longer_used(folder):
    code = OWNER.replace("time.sleep(60)", "forkserver.stop()\nimport subprocess\nsubprocess.run(sys.argv[1:])")
    done = subprocess.run(
        [sys.executable, "-c", code, sys.executable, "-m", "manu.jobs.start", "job", "0"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    server, found = done.stdout.splitlines()
    assert json.loads(found)["imported"] == []
    wait_for_end(int(server))
    assert not (folder / "tiny.sock").exists()


def test_a_server_that_ends_before_its_job_is_told(owner):
    job = command("0", "wait")
    process = said(job)["process"]
    os.kill(owner.server, signal.SIGKILL)
    _, err = job.communicate()
    assert job.returncode == 1
    assert err == "error: the process that forks jobs ended before this job did; run the same command again to go on\n"
    wait_for_end(process)
