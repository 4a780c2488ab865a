"""How every stage is started: options, logging, one line for the terminal, errors without traceback, the record."""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from manu.core import extensions
from manu.core.errors import user_message
from manu.jobs.device import own_device
from manu.provenance.record import Recording

log = logging.getLogger("manu")


class _Source(argparse.Action):
    """Keeps the files of a source as an option with the source's name, as the record of the job shows them."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        name, *files = values
        if hasattr(namespace, name):
            parser.error(f"--source {name}: there is an option of this name, or the source was given before")
        setattr(namespace, name, [Path(file) for file in files])
        namespace.sources = [*namespace.sources, name]
        parser.reads.append(name)


def files_of_sources(options: argparse.Namespace) -> dict[str, list[Path]]:
    """Source -> its files, as `StageParser.read_sources` took them."""
    return {name: getattr(options, name) for name in options.sources}


class StageParser(argparse.ArgumentParser):
    """The options of a stage; it knows which of them are paths that the stage reads and writes.

    replayable: the stage needs no model and little time; the audit runs it again and compares what it writes.
    runs_model: the stage gets a GPU of its own, where there are any.
    """

    def __init__(self, description: str | None, *, replayable: bool = False, runs_model: bool = False) -> None:
        super().__init__(description=description)
        self.replayable = replayable
        self.runs_model = runs_model
        self.reads: list[str] = []
        self.writes: list[str] = []

    def read(self, *names: str, required: bool = True, **settings) -> "StageParser":
        """Add an option for each file or folder (with `nargs`, for several) that the stage reads; returns itself."""
        return self._add(self.reads, names, required, settings)

    def read_sources(self) -> "StageParser":
        """Add the option `--source NAME FILE ...`, once for each source that a table or figure is made from."""
        self.add_argument(
            "--source", action=_Source, nargs="+", dest="sources", default=[], help="its name, then files"
        )
        return self

    def write(self, *names: str, required: bool = True, **settings) -> "StageParser":
        """Add an option for each file or folder that the stage writes; returns itself."""
        return self._add(self.writes, names, required, settings)

    def take(self, name: str, **settings) -> "StageParser":
        """Add an option that is no file; returns itself."""
        self.add_argument(f"--{name}", **settings)
        return self

    def _add(self, paths: list[str], names: Sequence[str], required: bool, settings: dict) -> "StageParser":
        for name in names:
            self.add_argument(f"--{name.replace('_', '-')}", dest=name, type=Path, required=required, **settings)
        paths += names
        return self


def run(main: Callable[[argparse.Namespace, dict], str], parser: StageParser) -> None:
    """Run a stage: `main(options, config)` does the work and returns the line shown on the terminal.

    Details go to the file given by --log; the record of what was read and written goes beside --config.
    A UserError, and a disk that cannot be written, end in one line and exit code 2; any other error in one line and
    exit code 1, with the traceback in the log, which the workflow shows.
    """
    parser.add_argument("--config", type=Path, required=True, help="the job's resolved configuration (YAML)")
    parser.add_argument("--rule", help="the workflow's rule, for the record")
    parser.add_argument("--log", type=Path, help="file for the details; without it they are not kept")
    options = parser.parse_args()
    _start_logging(options.log)
    start = time.perf_counter()
    try:
        config = yaml.safe_load(options.config.read_text(encoding="utf-8"))
        given = {name: value for name, value in vars(options).items() if name not in ("config", "rule", "log")}
        extensions.add(config.get("extensions", ()))
        spread = config.get("loading", {}).get("device_map") == "auto"
        with own_device(parser.runs_model, spread):
            recording = Recording(options.rule, options.config, config, given, parser.reads, parser.writes)
            line = main(options, config)
            recording.write()
    except Exception as error:
        message = user_message(error)
        if message is None:
            log.exception("the stage failed")
            if not options.log:
                raise
            sys.stderr.write(f"error: {type(error).__name__}: {error}; where it came from: {options.log}\n")
            sys.exit(1)
        log.error("%s", message)
        sys.stderr.write(f"error: {message}\n")
        sys.exit(2)
    log.info("%s", line)
    sys.stderr.write(f"{line} ({time.perf_counter() - start:.0f} s)\n")


def _start_logging(file: Path | None) -> None:
    handler: logging.Handler = logging.NullHandler()
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(file, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
