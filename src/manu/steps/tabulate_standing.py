"""Rule tabulate_standing: answers and the aim in config/claims.yaml -> where each method of each run stands to it.

Reads the configuration's `intervals` (resamples, level).
"""

import yaml

from manu.analysis import outcomes, standing
from manu.analysis.cells import csv_text
from manu.analysis.claims import read_claims
from manu.analysis.origin import Origin
from manu.analysis.reading import read_all
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("claims", help="config/claims.yaml, for its `aim`")
    options.read("answers", nargs="+", help="answers, parquet")
    options.write("csv")
    options.write("markdown", help="the same for reading")
    return options


def main(options, config) -> str:
    """Write the table as --csv and --markdown."""
    document = read_claims(yaml.safe_load(options.claims.read_text(encoding="utf-8")), str(options.claims))
    answers = read_all(options.answers, outcomes.ANSWER_COLUMNS)
    intervals = config["intervals"]
    aim = standing.Aim(**document["aim"])
    table = standing.standing_table(answers, aim, intervals["resamples"], intervals["level"])
    write_text(options.csv, csv_text(table))
    write_text(options.markdown, standing.markdown(table, aim))
    return f"{options.csv}: {(table['meets'] == 'yes').sum()} of {len(table)} rows meet the aim"


def origin(options, row, column) -> Origin | None:
    """Answers of the method and of the models that it is measured against."""
    return standing.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
