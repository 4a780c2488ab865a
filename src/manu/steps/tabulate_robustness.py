"""Rule tabulate_robustness: answers and signals under attack, beside the study's own answers -> one table.

Reads the configuration's `intervals` (resamples, level).
"""

from manu.analysis import robustness
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.analysis.reading import read_all
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("stored", nargs="+", help="the study's own answers of the same models")
    options.read("answers", nargs="+", help="answers under attack")
    options.read("signals", nargs="+", help="what probes and membership inference read")
    options.write("out")
    return options


def main(options, config) -> str:
    """Write the table --out (CSV)."""
    columns = (robustness.STORED_COLUMNS, robustness.ANSWER_COLUMNS, robustness.SIGNAL_COLUMNS)
    given = (options.stored, options.answers, options.signals)
    parts = [read_all(paths, names) for paths, names in zip(given, columns, strict=True)]
    intervals = config["intervals"]
    table = robustness.robustness_table(*parts, intervals["resamples"], intervals["level"])
    write_text(options.out, csv_text(table))
    return f"{options.out}: {table['attack'].nunique() - 2} attacks on {table['method'].nunique()} methods"


def origin(options, row, column) -> Origin | None:
    """Answers of the model under the attack, or before it."""
    return robustness.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
