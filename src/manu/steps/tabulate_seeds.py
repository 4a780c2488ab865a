"""Rule tabulate_seeds: scores and outcomes -> each cell's mean and spread over the study's seeds."""

import pandas as pd

from manu.analysis import seed_table
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.analysis.score_file import read_scores
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("scores", help="scores.csv")
    options.read("outcomes", help="outcomes.csv")
    options.write("out")
    return options


def main(options, config) -> str:
    """Write the table --out."""
    outcomes = pd.read_csv(options.outcomes, dtype={"metric_version": str, "study": str})
    table = seed_table.seed_table(read_scores(options.scores), outcomes)
    write_text(options.out, csv_text(table))
    return f"{options.out}: {len(table)} cells, at most {table['seeds'].max()} seed(s) each"


def origin(options, row, column) -> Origin | None:
    """The rows of the seeds."""
    return seed_table.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
