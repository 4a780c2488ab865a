"""How every stage is started: options, seeds, logging, one line for the terminal, errors without traceback."""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml
from tqdm import tqdm

from manu.errors import UserError

log = logging.getLogger("manu")


def stage_parser(description: str, *paths: str) -> argparse.ArgumentParser:
    """A parser with required path options named `paths`."""
    parser = argparse.ArgumentParser(description=description)
    for name in paths:
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, type=Path, required=True)
    return parser


def run(main: Callable[[argparse.Namespace, dict], str], parser: argparse.ArgumentParser) -> None:
    """Run a stage: `main(options, config)` does the work and returns the line shown on the terminal.

    Details go to the file given by --log, else to standard error. A UserError ends in its message and exit
    code 2.
    """
    parser.add_argument("--config", type=Path, required=True, help="the job's resolved configuration (YAML)")
    parser.add_argument("--log", type=Path, help="file for the details; without it they are not kept")
    options = parser.parse_args()
    _start_logging(options.log)
    start = time.perf_counter()
    try:
        config = yaml.safe_load(options.config.read_text(encoding="utf-8"))
        line = main(options, config)
    except UserError as error:
        log.error("%s", error)
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except Exception:
        log.exception("the stage failed")
        raise
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


def progress(iterable: Iterable, what: str, total: int | None = None) -> Iterable:
    """A progress bar on a terminal, nothing elsewhere."""
    return tqdm(iterable, desc=what, total=total, disable=None, leave=False, mininterval=0.5, dynamic_ncols=True)
