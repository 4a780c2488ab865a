"""A process that imports the slow libraries once and forks for each job.

In a small study, importing torch and the classes of transformers takes longer than a job's work. The workflow starts
one such process and keeps it while it runs (`start`). A job's command (manu.jobs.start) sends it the command line, the
environment and its standard files, and ends as the fork ends. Each fork imports the package itself anew, so a job runs
the code that is there when it starts.

This works on Linux only (elsewhere a fork after such imports is not safe) and without a GPU (its driver does not
survive a fork). No thread may run before the fork, so the libraries are limited to one thread, as in every job.
"""

import atexit
import ctypes
import gc
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from manu.jobs.start import ADDRESS, THREADS, received, run_here

_THREADS = (THREADS, "GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_PDEATHSIG = 1  # of prctl(2): the signal that a process gets when its parent ends
_running: list[tuple[subprocess.Popen, Path]] = []  # this process's server and its socket


def start(study: str, names: Iterable[str], folder: Path = Path(".snakemake")) -> bool:
    """Start the server for a run of a study and set its address in this process's environment.

    The server ends with this process, or by `stop`. names: what to import, as `pkgutil.resolve_name` takes it
    (manu.jobs.imports). folder: of the socket. Returns False where a server is not supported; jobs then import by
    themselves.
    """
    if sys.platform != "linux":
        return False
    address = folder / f"{study}.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            address.unlink(missing_ok=True)  # of a run that was killed
            listener.bind(str(address))
            address.chmod(0o600)
            listener.listen(64)
        except OSError:  # a file system without sockets, or too long a path
            return False
        server = subprocess.Popen(
            [sys.executable, "-m", "manu.jobs.forkserver", str(listener.fileno()), *names],
            stdin=subprocess.PIPE,  # its end tells the server that this process has ended, however it ended
            pass_fds=[listener.fileno()],
            env=os.environ | dict.fromkeys(_THREADS, "1"),
        )
    os.environ[ADDRESS] = str(address)
    _running.append((server, address))
    atexit.register(stop)
    return True


def stop() -> None:
    """End the server and the forks that still run."""
    while _running:
        server, address = _running.pop()
        os.environ.pop(ADDRESS, None)
        if server.stdin:
            server.stdin.close()
        address.unlink(missing_ok=True)


class Server:
    """Forks a process for each connection, sends back its exit code, and ends a fork whose command has ended."""

    def __init__(self, listener: socket.socket, owner: int) -> None:
        self.listener = listener
        self.owner = owner  # a file that ends with the process for which this one works
        self.poll = select.poll()
        self.poll.register(owner, select.POLLIN)
        self.poll.register(listener, select.POLLIN)
        self.commands: dict[int, tuple[socket.socket, BaseProcess]] = {}  # connection and fork by the connection's file
        self.forks: dict[int, int] = {}  # file of a connection by the file that signals the end of its fork

    def serve(self) -> None:
        """Serve until the owner has ended, then end the forks."""
        while True:
            file, _ = self.poll.poll()[
                0
            ]  # one at a time: handling an event may close a file, and its number may be used again
            if file == self.owner:
                for _, fork in self.commands.values():
                    fork.terminate()
                return
            if file == self.listener.fileno():
                self._start()
            elif file in self.forks:
                self._ended(file)
            else:
                self.commands[file][1].terminate()  # its command has ended; the end of the fork follows
                self.poll.unregister(file)

    def _start(self) -> None:
        command, _ = self.listener.accept()
        fork = get_context("fork").Process(target=self._run, args=(command,))
        fork.start()
        self.poll.register(fork.sentinel, select.POLLIN)
        self.poll.register(command, select.POLLRDHUP)  # the fork reads what the command sends
        self.commands[command.fileno()] = command, fork
        self.forks[fork.sentinel] = command.fileno()

    def _run(self, command: socket.socket) -> None:
        """In a fork: run the command's job. Imports are not torn down: that would take longer than many jobs."""
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM)  # however the server ends, its forks end with it
        self.listener.close()
        for other, _ in self.commands.values():
            other.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run_here(*_become(command))

    def _ended(self, sentinel: int) -> None:
        file = self.forks.pop(sentinel)
        command, fork = self.commands.pop(file)
        fork.join()
        with suppress(OSError):  # the command has gone
            command.sendall(f"{fork.exitcode}\n".encode())
        self.poll.unregister(sentinel)
        with suppress(KeyError):  # the command had gone before
            self.poll.unregister(file)
        fork.close()
        command.close()


def _become(command: socket.socket) -> tuple[str, list[str]]:
    """Take over a command's files, folder and environment. Returns the step and its arguments."""
    with command:
        request, files = received(command)
    for mine, its in enumerate(files):
        os.dup2(its, mine)
        os.close(its)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  stays open: multiprocessing has replaced it
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    return request["stage"], request["arguments"]


def main() -> None:
    """Import the libraries, then serve until the owner ends."""
    file, *names = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the jobs
    warnings.filterwarnings("ignore", "This process .* is multi-threaded, use of fork", DeprecationWarning)
    for name in names:
        with suppress(ImportError, AttributeError):  # a job that needs it reports the error itself
            pkgutil.resolve_name(name)
    gc.collect()
    gc.freeze()  # forks do not touch these pages of memory, so they are not copied
    Server(socket.socket(fileno=int(file)), sys.stdin.fileno()).serve()


if __name__ == "__main__":
    main()
