"""Rule write_readme: the block of numbers that a README may quote, and a list of them with their origins."""

import pandas as pd

from manu.analysis import readme
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.analysis.score_file import read_scores
from manu.analysis.tables import diverged
from manu.core.files import write_text
from manu.steps.command import StageParser, run
from manu.unlearning.choice import with_choices


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("scores", help="scores.csv")
    options.read("diverged", help="diverged.csv")
    options.read("capacity", required=False, nargs="*", help="capacity tables of the models")
    options.read("choices", required=False, nargs="*", help="the tuned settings of all models' methods (choice.json)")
    options.write("markdown")
    options.write("csv")
    return options


def main(options, config) -> str:
    """Write the block and its list of numbers."""
    tables = [pd.read_csv(path) for path in options.capacity or ()]
    capacity = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    methods, ratio = config["methods"], config["ratio"]
    scores = read_scores(options.scores)
    listed = readme.numbers(scores, capacity, methods, ratio)
    pruned = {model: with_choices(methods, options.choices or (), model) for model in sorted(set(scores["model"]))}
    runs = diverged.listed(pd.read_csv(options.diverged, dtype={"study": str}), "`")
    text = readme.block(listed, methods, pruned, ratio, config["study"], scores["seed"].nunique(), runs)
    write_text(options.csv, csv_text(listed))
    write_text(options.markdown, text)
    return f"{options.markdown}: {len(listed)} numbers for the README"


def origin(options, row, column) -> Origin | None:
    """The cells that a number is taken over."""
    return readme.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
