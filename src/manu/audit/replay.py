"""Cheap steps run a second time: their outputs are compared."""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

from manu.analysis import readme
from manu.audit.compare import compare_output, compare_text
from manu.audit.findings import Report
from manu.audit.numbers import keys_of, stage_module
from manu.core.errors import UserError

PICTURES = ("png", "svg")  # options; only checksums are checked: letters are drawn a little differently elsewhere


def is_replayable(record: Mapping) -> bool:
    """Whether a job is cheap enough for an audit to run it again."""
    return stage_module(record).parser().replayable


def replay(record: Mapping, folder: Path) -> dict[str, Path]:
    """Run a job again on its inputs as they are now, with its outputs below `folder`, but for pictures.

    Returns output file -> new file. Raises UserError if the step cannot run.
    """
    module = stage_module(record)
    parser = module.parser()
    options = dict(record["options"])
    again: dict[str, Path] = {}
    for name in (*parser.reads, *options.get("sources", ())):
        given = options.get(name)
        options[name] = [Path(item) for item in given] if isinstance(given, list) else Path(given) if given else None
    for name in (name for name in parser.writes if options[name]):
        given = options[name]
        if name in PICTURES:
            options[name] = None
            continue
        listed = {file: folder / file for file in (given if isinstance(given, list) else [given])}
        again |= listed
        options[name] = list(listed.values()) if isinstance(given, list) else listed[given]
    module.main(argparse.Namespace(**options), record["configuration"]["content"])
    return again


def check_replayed(record: Mapping, report: Report) -> None:
    """Run a job again and compare its outputs, cell by cell. Counts "outputs computed again"."""
    with tempfile.TemporaryDirectory() as folder:
        again = replay(record, Path(folder))
        for file, new in again.items():
            compare_output(file, new, keys_of(record), report)
        if record["options"].get("table") == "readme":
            check_readme(again[record["options"]["markdown"]], record["configuration"]["content"]["study"], report)
        report.counts["outputs computed again"] += len(again)


def check_readme(right: Path, study: str, report: Report) -> None:
    """The README's generated block, if it is about this study, against the block in the file `right`.

    A block equal to the study's snapshot in git is a note, no failure: another kind of processor gives other numbers.
    """
    path = Path("README.md")
    if not path.is_file():
        report.notes.append("README.md is missing: its numbers were not checked")
        return
    try:
        before, block, _ = readme.parts(path.read_text(encoding="utf-8"))
    except UserError as error:
        report.fail("README.md", str(error).removeprefix("README.md: "))
        return
    if not block.startswith(f"Study `{study}`:"):
        report.notes.append(f"the numbers in README.md are not of study '{study}': not checked here")
        return
    shown = Path("results/reference") / study / "readme.md"
    if block != right.read_text(encoding="utf-8") and shown.is_file() and block == shown.read_text(encoding="utf-8"):
        mine = f"this run's are other ones; make readme STUDY={study} puts them there"
        report.notes.append(f"the numbers in README.md are those of the snapshot in {shown.parent}/: {mine}")
        return
    compare_text("README.md", block, right.read_text(encoding="utf-8"), report, before.count("\n") + 1)
