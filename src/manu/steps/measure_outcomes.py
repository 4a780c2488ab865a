"""Rule measure_outcomes: answers -> how well each run unlearned, against vanilla and retain_only.

Reads the configuration's `intervals` (resamples, level).
"""

from manu.analysis import outcomes
from manu.analysis.aggregate import read_all
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("answers", nargs="+", help="answers, parquet")
    options.write("out", help="outcomes.csv")
    return options


def main(options, config) -> str:
    """Write the outcomes --out."""
    answers = read_all(options.answers, outcomes.ANSWER_COLUMNS)
    intervals = config["intervals"]
    table = outcomes.outcomes(answers, intervals["resamples"], intervals["level"])
    write_text(options.out, csv_text(table))
    return f"{options.out}: {len(table)} outcomes of {table['method'].nunique()} methods"


def origin(options, row, column) -> Origin | None:
    """Answers of the method and of the models that it is measured against."""
    return outcomes.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
