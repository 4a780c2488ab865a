"""Rule compare_reported: published numbers, scores and outcomes -> the paper beside ours.

Reads the configuration's `comparison` (comparable, models, tolerance in points) and `benchmark`, as the
published numbers name it.
"""

import pandas as pd

from manu.analysis import comparison
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.analysis.score_file import read_scores
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("reported", help="published numbers, CSV")
    options.read("scores", help="scores.csv")
    options.read("outcomes", help="outcomes.csv")
    options.write("out")
    return options


def main(options, config) -> str:
    """Write the comparison --out."""
    given = config["comparison"]
    scale = comparison.Scale(given["comparable"], given["models"], given["tolerance"] / 100, config["benchmark"])
    reported, outcomes = comparison.read_reported(options.reported), pd.read_csv(options.outcomes)
    table = comparison.comparison(reported, read_scores(options.scores), outcomes, scale)
    write_text(options.out, csv_text(table))
    counts = ", ".join(f"{count} {status}" for status, count in table["status"].value_counts().items())
    return f"{options.out}: {len(table)} published numbers: {counts}"


def origin(options, row, column) -> Origin | None:
    """Our cells, or the published number's own row."""
    return comparison.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
