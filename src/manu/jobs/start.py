"""Start a stage: `python -m manu.jobs.start manu.steps.train --config ...`, the command of every job.

Where the workflow runs a fork server (manu.jobs.forkserver), the stage is run by a fork of it, which has torch and the
rest imported already; without one, as on a cluster, or where it was given other numbers of threads, it is run here.
"""

import json
import os
import runpy
import signal
import socket
import sys
from contextlib import suppress

ADDRESS = "MANU_FORK_SERVER"  # environment: the server's socket, relative to the working folder of the run
THREADS = "OMP_NUM_THREADS"  # environment: of those that libraries read when they are imported, all the same
FILES = (0, 1, 2)  # standard input, output and error: the job has those of its command


def main() -> None:
    """Run the stage that the command line names with the rest of it, and end as it ends."""
    stage, *arguments = sys.argv[1:]
    server = _connected()
    if server is None:
        run_here(stage, arguments)
    else:
        with server:
            ended = _run_there(server, stage, arguments)
        _end(ended)


def run_here(stage: str, arguments: list[str]) -> None:
    """As `python -m stage arguments`, in this process, which then has imported of the package what the stage imports."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("manu", "__mp_main__")]:
        del sys.modules[name]  # the last is multiprocessing's name for the module that it found as __main__
    sys.argv = [stage, *arguments]
    runpy.run_module(stage, run_name="__main__", alter_sys=True)


def _connected() -> socket.socket | None:
    """A connection to the fork server; None if there is none, or if its libraries were told to use more threads."""
    address = os.environ.get(ADDRESS)
    if not address or os.environ.get(THREADS, "1") != "1":
        return None
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(address)
    except OSError:
        server.close()
        return None
    return server


def _run_there(server: socket.socket, stage: str, arguments: list[str]) -> int | None:
    """Let a fork run the stage; how it ended as a return code, a negative one for a signal, or None if it is not known."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the job itself, which then ends
    request = {"stage": stage, "arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    try:
        send(server, request)
        answer = server.makefile().readline()
    except OSError:
        answer = ""
    return int(answer) if answer.strip() else None


def send(server: socket.socket, request: dict) -> None:
    """One request, as a line of JSON text, and this process's standard files."""
    socket.send_fds(server, [b" "], FILES)
    server.sendall(f"{json.dumps(request)}\n".encode())


def received(client: socket.socket) -> tuple[dict, list[int]]:
    """What `send` sent. Raises EOFError where the other side has gone."""
    _, files, _, _ = socket.recv_fds(client, 1, len(FILES))
    with client.makefile() as text:
        line = text.readline()
    if len(files) < len(FILES) or not line.endswith("\n"):
        raise EOFError
    return json.loads(line), files


def _end(code: int | None) -> None:
    """End as the job did: with its exit code, or by its signal."""
    if code is None:
        sys.exit("error: the process that forks jobs ended before this job did; run the same command again to go on")
    if code < 0:
        with suppress(OSError):  # a signal that cannot be caught
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
