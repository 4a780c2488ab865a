"""Rule aggregate: answers -> scores.csv, and the list of the runs that diverged, which have no scores.

Reads the configuration's `intervals` (resamples, level) and `metrics`, if any.
"""

from manu.analysis.aggregate import NEEDED_COLUMNS, read_all, scores
from manu.analysis.cells import csv_text
from manu.analysis.diverged import diverged_table
from manu.analysis.origin import Origin, same
from manu.analysis.score_file import CELL_KEYS, write_scores
from manu.core.files import write_text
from manu.evaluation.metrics import METRICS
from manu.evaluation.more_metrics import TEXTS, metric, with_metrics
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("answers", nargs="+", help="answers, parquet")
    options.write("out", help="scores.csv")
    options.write("diverged", help="diverged.csv")
    return options


def main(options, config) -> str:
    """Write the scores --out, and --diverged."""
    more = config.get("metrics", ())
    columns = (*NEEDED_COLUMNS, *(TEXTS if more else ()))
    answers = with_metrics(read_all(options.answers, columns), more)
    intervals = config.get("intervals", {})
    table = scores(answers, intervals.get("resamples", 1000), intervals.get("level", 0.95), map(metric, more))
    write_scores(table, options.out)
    diverged = diverged_table(options.answers)
    write_text(options.diverged, csv_text(diverged))
    line = f"{options.out}: {len(table)} scores from {len(answers)} answers in {len(options.answers)} files"
    return f"{line}; {len(diverged)} runs diverged" if len(diverged) else line


def origin(options, row, column) -> Origin | None:
    """A score is the mean of its cell's answers."""
    if column not in ("value", "n", "ci_low", "ci_high"):
        return None
    of = METRICS.get(row["metric"]) or metric(row["metric"])
    return Origin(("answers",), same(row, *CELL_KEYS), of.column, mean=column == "value")


if __name__ == "__main__":
    run(main, parser())
