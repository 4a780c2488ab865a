"""Rule make_table: the sources of a table -> the table, as CSV and, for some, as Markdown.

Reads the settings that the table itself asks for (manu.analysis.tables.base).
"""

import argparse
from collections.abc import Mapping

from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.analysis.reading import Inputs
from manu.analysis.tables.registry import table
from manu.core.files import write_text
from manu.steps.command import StageParser, files_of_sources, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True).take("table", required=True).take("model", default="")
    return options.read_sources().write("csv").write("markdown", required=False)


def main(options: argparse.Namespace, config: Mapping) -> str:
    """Write the table."""
    asked = table(options.table)
    inputs = Inputs(files_of_sources(options), options.model)
    frame = asked.make(inputs, config)
    write_text(options.csv, csv_text(frame))
    if options.markdown and asked.markdown:
        write_text(options.markdown, asked.markdown(frame, inputs, config))
    return f"{options.csv}: {asked.title}, {len(frame)} rows"


def origin(options: Mapping, row: Mapping[str, str], column: str) -> Origin | None:
    """The table itself knows."""
    return table(options["table"]).origin(row, column)


if __name__ == "__main__":
    run(main, parser())
