"""Run the benchmarks: `make bench`, or `make bench ONLY=<question>` (docs/performance.md)."""

import argparse
import logging
import sys
import tempfile
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from benchmarks.sizes import TINY, Sizes
from benchmarks.tables import write_answer
from manu.core.errors import UserError

QUESTIONS = ("statistics", "selection", "evaluation", "workflow", "training", "growth", "coverage")
log = logging.getLogger("benchmarks")


def answer_question(question: str, sizes: Sizes, out: Path) -> None:
    """Run one benchmark and write its tables to `out`/<question>/."""
    start = time.perf_counter()
    module = import_module(f"benchmarks.{question}")
    with tempfile.TemporaryDirectory(prefix="manu-bench-") as folder:
        tables = module.answer(sizes, Path(folder))
    seconds = time.perf_counter() - start
    about = (module.__doc__ or "").strip()
    write_answer(out / question, about, tables, asdict(sizes), seconds)
    log.info("%s: %s (%.0f s)", out / question, ", ".join(table.name for table in tables), seconds)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks of the command line. Returns the exit code: 2, with one line, after a UserError."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help=f"one question: {', '.join(QUESTIONS)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="folder (default: results/bench)")
    parser.add_argument("--study", default="mini", help="finished study whose second run is timed (default: mini)")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes, only to test that the benchmarks run")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    try:
        if given.only and given.only not in QUESTIONS:
            raise UserError(f"--only: unknown question {given.only!r}; known: {', '.join(QUESTIONS)}")
        sizes = TINY if given.tiny else Sizes(study=given.study)
        for question in [given.only] if given.only else QUESTIONS:
            answer_question(question, sizes, given.out)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
