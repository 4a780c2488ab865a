"""Rule write_report: tables, figures and records of a finished study -> one HTML page that needs nothing else.

Reads the configuration's `study` (name), `methods` (name -> kind and, for pruning, prune_ratio) and `tables` (names).
--assets: the page's own template, style and scripts, which the record names.
"""

import os
from pathlib import Path

from manu.analysis.cells import read_cells
from manu.analysis.figures.registry import figure_module
from manu.analysis.grid import TableOnPage
from manu.analysis.tables.registry import table
from manu.core.files import write_text
from manu.provenance.record import read_records
from manu.report.page import page
from manu.report.study import Figure, Study
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True).read("tables", nargs="+")
    options.read("figures", "records", required=False, nargs="*").read("deviations")
    return options.read("assets", required=False, nargs="*").write("out")


def main(options, config) -> str:
    """Write the page --out."""
    study = Study(
        name=config["study"],
        methods=config["methods"],
        tables=[TableOnPage(_name(path), read_cells(path)) for path in options.tables],
        figures=[_figure(path) for path in options.figures or ()],
        records=read_records(options.records or ()),
        deviations=options.deviations.read_text(encoding="utf-8"),
        definitions={name: table(name) for name in config["tables"]},
    )
    text = page(study)
    write_text(options.out, text)
    count = f"{len(study.tables)} tables, {len(study.figures)} figures, {len(study.records)} jobs"
    return f"{options.out}: {count}, {len(text.encode('utf-8')) / 2**20:.1f} MiB"


def _name(path: Path) -> str:
    """The path relative to the working folder, as records have it."""
    return Path(os.path.relpath(path)).as_posix()


def _figure(path: Path) -> Figure:
    module = figure_module(path.stem)
    return Figure(_name(path), path.read_text(encoding="utf-8"), module.TITLE, module.CAPTION)


if __name__ == "__main__":
    run(main, parser())
