"""Rule tune: try the settings of a method on the tuning people and keep what the model answers after each trial.

Reads the configuration's `trials` (all settings of each), `ratios` ([0], the tuning people) and `evaluation`. The
settings are chosen from the answers (choose_settings), so no trial's model is kept.
"""

import pandas as pd

from manu.core.errors import UserError
from manu.core.files import write_parquet
from manu.steps.command import StageParser, run
from manu.unlearning.tuning import trial_answers


def parser() -> StageParser:
    """Options of the rule."""
    return (
        StageParser(__doc__, runs_model=True)
        .read("benchmark", "vanilla")
        .read("statistics", required=False)
        .write("out")
    )


def main(options, config) -> str:
    """Write the answers of all trials --out (parquet), the trial in the column `trial`.

    Raises UserError when every trial diverges.
    """
    tried = list(trial_answers(config, options.benchmark, options.vanilla, options.statistics))
    if not tried:
        trials = f"{config['model']} {config['method']} trials"
        raise UserError(f"{trials}: all {len(config['trials'])} diverge; give the study smaller steps to choose from")
    write_parquet(options.out, pd.concat(tried, ignore_index=True))
    return f"{options.out}: {len(tried)} trials"


if __name__ == "__main__":
    run(main, parser())
