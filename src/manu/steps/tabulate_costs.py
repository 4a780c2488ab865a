"""Rule tabulate_costs: records of the jobs that unlearn, and outcomes -> what each method cost and achieved."""

import pandas as pd

from manu.analysis import costs
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.core.files import write_text
from manu.provenance.record import read_records
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("records", nargs="+", help="records of all jobs that make an edit, and of no others")
    options.read("outcomes", help="outcomes.csv")
    options.write("out", help="costs.csv")
    return options


def main(options, config) -> str:
    """Write the costs --out."""
    outcomes = pd.read_csv(options.outcomes, dtype={"study": str})
    table = costs.cost_table(read_records(options.records), outcomes)
    write_text(options.out, csv_text(table))
    return f"{options.out}: {len(table)} runs, {table['seconds'].min():.1f} to {table['seconds'].max():.1f} s each"


def origin(options, row, column) -> Origin | None:
    """Records for what was spent, outcomes for what was achieved."""
    return costs.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
