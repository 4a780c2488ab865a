"""Rule tabulate_anatomy: lists of neurons -> pruned and kept neurons beside each other."""

import pandas as pd

from manu.analysis import anatomy
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("neurons", nargs="+", help="lists of neurons, CSV")
    options.write("out")
    return options


def main(options, config) -> str:
    """Write the table --out (CSV)."""
    table = anatomy.summary(pd.concat([pd.read_csv(path) for path in options.neurons], ignore_index=True))
    write_text(options.out, csv_text(table))
    return f"{options.out}: {len(table)} groups of neurons"


def origin(options, row, column) -> Origin | None:
    """The neurons of the group."""
    return anatomy.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
