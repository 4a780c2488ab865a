"""Rule tabulate_capacity: answers with and without random masks -> what random pruning costs one model."""

from manu.analysis import capacity
from manu.analysis.aggregate import read_all
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("vanilla", nargs="+", help="answers of the vanilla model, one file per seed")
    options.read("pruned", nargs="+", help="answers under random masks")
    options.write("out")
    return options


def main(options, config) -> str:
    """Write the table --out (CSV)."""
    vanilla, pruned = map(read_all, (options.vanilla, options.pruned))
    table = capacity.capacity_table(vanilla, pruned, config["prune_ratios"])
    write_text(options.out, csv_text(table))
    worst = table.groupby("prune_ratio")["cost"].max().drop(0)
    costs = ", ".join(f"{share}%: {100 * cost:.0f}" for share, cost in worst.items())
    return f"{options.out}: random pruning costs at most (points) {costs}"


def origin(options, row, column) -> Origin | None:
    """Answers of the cell."""
    return capacity.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
