"""Rule tabulate_harness: the harness's scores of every model -> one table, each method beside vanilla.

Reads the configuration's `methods` (names, in order) and `tasks` (those of the study, for the Markdown).
"""

import pandas as pd

from manu.analysis import harness
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("scores", nargs="+", help="the harness's scores, CSV")
    options.write("csv")
    options.write("markdown")
    return options


def main(options, config) -> str:
    """Write the table in both forms."""
    read = [pd.read_csv(path, dtype={"metric_version": str, "study": str}) for path in options.scores]
    asked = [rows for rows in read if len(rows)]  # what diverged was not
    table = harness.harness_table(pd.concat(asked, ignore_index=True), config["methods"])
    write_text(options.csv, csv_text(table))
    write_text(options.markdown, harness.markdown(table, config["tasks"]))
    return f"{options.csv}: {table['task'].nunique()} tasks of {table['method'].nunique()} models"


def origin(options, row, column) -> Origin | None:
    """A number comes from the cell's scores."""
    return harness.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
