"""Rule judge_claims: answers and config/claims.yaml -> every claim with its value, interval and verdict.

Reads the configuration's `intervals`, `methods`, `prune_ratios` of the ablation's
variants and `union`, the variant with all importance functions.
"""

import yaml

from manu.analysis import claims, outcomes
from manu.analysis.cells import csv_text
from manu.analysis.origin import Origin
from manu.analysis.reading import read_all
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("claims", help="config/claims.yaml")
    options.read("answers", nargs="+", help="answers, parquet")
    options.read("variants", nargs="*", required=False, help="answers of the ablation's variants")
    options.write("cells", help="claims by run, CSV")
    options.write("out", help="claims by architecture, CSV")
    return options


def main(options, config) -> str:
    """Write both tables."""
    document = claims.read_claims(yaml.safe_load(options.claims.read_text(encoding="utf-8")), str(options.claims))
    paths = [*options.answers, *(options.variants or ())]
    answers = read_all(paths, outcomes.ANSWER_COLUMNS)
    baselines = [name for name in document["baselines"] if name in config["methods"]]
    context = claims.Context(baselines, config["prune_ratios"], config["union"])
    intervals = config["intervals"]
    cells = claims.claim_cells(answers, document, context, intervals["resamples"], intervals["level"])
    table = claims.claim_table(cells, document)
    write_text(options.cells, csv_text(cells))
    write_text(options.out, csv_text(table))
    counts = table.loc[table["model"] == "all architectures", "verdict"].value_counts()
    return f"{options.out}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def origin(options, row, column) -> Origin | None:
    """Answers of the runs that the claim is tested on."""
    return claims.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
