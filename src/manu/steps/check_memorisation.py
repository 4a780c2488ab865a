"""Rule check_memorisation: stop the study unless vanilla knows more of the forget people than what it started from.

Unlearning what was never learned would cost as much and show nothing.
"""

import argparse
import json
from collections.abc import Mapping

from manu.analysis.memorisation import ANSWER_COLUMNS, memorised, overall
from manu.analysis.reading import read_all
from manu.core.errors import UserError
from manu.core.files import write_text
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__, replayable=True).read("start", "vanilla").write("out")


def main(options: argparse.Namespace, config: Mapping) -> str:
    """Write the two means and the margin to --out (JSON, in points). Raises UserError where the lead is too small."""
    rows = memorised(*(read_all([path], ANSWER_COLUMNS) for path in (options.start, options.vanilla)))
    start, vanilla, lead = (100 * value for value in overall(rows[rows["forget_ratio"] == config["ratio"]]))
    margin = config["margin"]
    if not lead >= margin:
        raise UserError(
            f"{config['model']}, seed {config['seed']}: on the forget people vanilla reaches {vanilla:.1f} and the "
            f"model that it started from {start:.1f} points (mean of accuracy and ROUGE-L), a lead of {lead:.1f}; "
            f"'memorisation.margin' asks for {margin:g}: train vanilla longer or at a higher rate "
            f"(models.{config['model']}.training.vanilla), name another 'vanilla', or lower the margin"
        )
    write_text(options.out, json.dumps({"start": start, "vanilla": vanilla, "lead": lead, "margin": margin}) + "\n")
    return f"{options.out}: vanilla {vanilla:.1f}, started from {start:.1f}; the lead of {lead:.1f} points is enough"


if __name__ == "__main__":
    run(main, parser())
