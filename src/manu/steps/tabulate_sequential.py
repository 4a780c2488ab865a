"""Rule tabulate_sequential: answers after each request, beside the study's own at the last ratio -> one table.

Reads the configuration's `intervals` (resamples, level).
"""

from manu.analysis import sequential
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.analysis.reading import read_all
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("stored", nargs="+", help="the study's own answers at the last request's ratio")
    options.read("answers", nargs="+", help="answers after each request")
    options.write("out")
    return options


def main(options, config) -> str:
    """Write the table --out (CSV)."""
    stored, answers = (
        read_all(paths, columns)
        for paths, columns in (
            (options.stored, sequential.STORED_COLUMNS),
            (options.answers, sequential.ANSWER_COLUMNS),
        )
    )
    intervals = config["intervals"]
    table = sequential.sequential_table(stored, answers, intervals["resamples"], intervals["level"])
    write_text(options.out, csv_text(table))
    return f"{options.out}: {answers['after'].nunique()} requests by {answers['method'].nunique()} methods"


def origin(options, row, column) -> Origin | None:
    """Answers of the model after the request, or of the one that forgot at once."""
    return sequential.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
