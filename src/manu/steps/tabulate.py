"""Rule tabulate: scores.csv -> the main table of one model, as CSV and Markdown.

Reads the configuration's `methods` (names, order, prune_ratio if it is given) and `evaluation.classification`.
"""

from manu.analysis import tables
from manu.analysis.diverged import read_diverged
from manu.analysis.origin import Origin
from manu.analysis.score_file import read_scores
from manu.core.files import write_text
from manu.steps.command import StageParser, run
from manu.unlearning.choice import with_choices


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("scores", help="scores.csv")
    options.read("diverged", help="diverged.csv")
    options.read("choices", required=False, nargs="*", help="the tuned settings of the model's methods (choice.json)")
    options.add_argument("--model", required=True, help="the model's name in the scores")
    options.write("csv")
    options.write("markdown")
    return options


def main(options, config) -> str:
    """Write the table in both forms."""
    scores, protocol = read_scores(options.scores), config["evaluation"]["classification"]
    methods = with_choices(config["methods"], options.choices or (), options.model)
    table = tables.main_table(scores, options.model, methods, protocol, read_diverged(options.diverged))
    write_text(options.csv, tables.csv_text(table))
    write_text(options.markdown, tables.markdown(table))
    return f"{options.markdown}: {len(table)} rows, {table['method'].nunique()} methods"


def origin(options, row, column) -> Origin | None:
    """A cell is the mean of scores over modalities and seeds."""
    return tables.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
