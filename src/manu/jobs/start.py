"""Start a step: `python -m manu.jobs.start manu.steps.train --config ...`, the command of every job.

If the workflow runs a fork server (manu.jobs.forkserver), a fork of it runs the step, with torch and other libraries
already imported. Without a server, as on a cluster, or with another number of threads, this process runs the step.
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
    """Run the step that the command line names, with the rest of the line as its arguments, and end as it ends."""
    stage, *arguments = sys.argv[1:]
    server = _connected()
    if server is None:
        run_here(stage, arguments)
    else:
        with server:
            ended = _run_there(server, stage, arguments)
        _end(ended)


def run_here(stage: str, arguments: list[str]) -> None:
    """Run `python -m stage arguments` in this process; modules of the package are imported anew."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("manu", "__mp_main__")]:
        del sys.modules[name]  # the last is multiprocessing's name for the module that it found as __main__
    sys.argv = [stage, *arguments]
    runpy.run_module(stage, run_name="__main__", alter_sys=True)


def _connected() -> socket.socket | None:
    """A connection to the fork server; None if there is none, or if this job may use more than one thread."""
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
    """Let a fork run the step. Returns its exit code, negative for a signal, or None if the server ended first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the job itself, which then ends
    folder = os.getcwd()  # noqa: PTH109  pathlib would make the start of every job slower
    request = {"stage": stage, "arguments": arguments, "folder": folder, "environment": dict(os.environ)}
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
