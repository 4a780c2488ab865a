"""Rule tabulate_ablation: answers under the masks of an ablation -> one table of a model.

Reads the configuration's `variants` (name -> prune ratio) and `intervals` (resamples, level).
"""

import pandas as pd

from manu.analysis import ablation
from manu.analysis.origin import Origin
from manu.analysis.reading import read_all
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("vanilla", nargs="+", help="answers of the vanilla model, one file per seed")
    options.read("answers", nargs="+", help="answers of the variants")
    options.write("out")
    return options


def main(options, config) -> str:
    """Write the table --out (CSV)."""
    variants, vanilla = map(read_all, (options.answers, options.vanilla))
    vanilla = vanilla[vanilla["forget_ratio"].isin(set(variants["forget_ratio"]))]
    answers = pd.concat([vanilla, variants], ignore_index=True)
    intervals = config["intervals"]
    table = ablation.ablation_table(answers, config["variants"], intervals["resamples"], intervals["level"])
    write_text(options.out, ablation.csv_text(table))
    return f"{options.out}: {table['method'].nunique() - 1} variants"


def origin(options, row, column) -> Origin | None:
    """Answers of the variant."""
    return ablation.origin(row, column)


if __name__ == "__main__":
    run(main, parser())
