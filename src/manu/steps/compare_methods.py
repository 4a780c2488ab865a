"""Rule compare_methods: answers -> paired tests between every two methods.

Reads the configuration's `methods` (their order) and `level` (coverage; significant below 1 - level).
"""

from manu.analysis import paired
from manu.analysis.cells import csv_text, row_order
from manu.analysis.origin import Origin
from manu.analysis.reading import read_all
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("answers", nargs="+", help="answers, parquet")
    options.write("out", help="table of tests, CSV")
    return options


def main(options, config) -> str:
    """Write the tests --out."""
    table = paired.paired_tests(read_all(options.answers), row_order(config["methods"]), config["level"])
    write_text(options.out, csv_text(table))
    return f"{options.out}: {len(table)} paired tests, {int(table['significant'].sum())} significant after correction"


def origin(options, row, column) -> Origin | None:
    """Answers of the two methods."""
    return paired.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
