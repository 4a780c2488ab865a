"""Rule tabulate_tuning: every trial of every method, its score and whether it was chosen, in one table.

Reads the configuration's `criterion` and `trials` (method -> the tuned settings of each trial).
"""

import pandas as pd

from manu.analysis import tuning
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("trials", nargs="+", help="answers of the trials, one parquet file per model and method")
    options.write("out")
    return options


def main(options, config) -> str:
    """Write the table --out (CSV)."""
    tables = []
    for path in options.trials:
        answers = pd.read_parquet(path)
        tables.append(tuning.trial_table(answers, config["trials"][answers["method"].iloc[0]], config["criterion"]))
    table = pd.concat(tables, ignore_index=True)
    write_text(options.out, csv_text(table))
    return f"{options.out}: {len(table)} trials of {table['method'].nunique()} methods"


def origin(options, row, column) -> Origin | None:
    """Answers of the trial."""
    return tuning.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
