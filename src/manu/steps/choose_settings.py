"""Rule choose_settings: from the answers of a method's trials to its settings.

Reads the configuration's `criterion`, `keeps` and `trials` (of each the tuned settings alone).
"""

import pandas as pd

from manu.analysis.tables import tuning
from manu.steps.command import StageParser, run
from manu.unlearning.choice import write_choice


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__, replayable=True).read("trials", "vanilla").write("out")


def main(options, config) -> str:
    """Write the choice --out (JSON)."""
    answers, vanilla = pd.read_parquet(options.trials), pd.read_parquet(options.vanilla)
    table = tuning.trial_table(answers, config["trials"], config["criterion"], vanilla, config["keeps"])
    best = table[table["chosen"] == tuning.YES].iloc[0]
    settings = config["trials"][best["trial"] - 1]
    kept = {key: best[key] for key in ("model", "method", "criterion")}
    numbers = {
        "trial": int(best["trial"]),
        "score": float(best["score"]),
        "trials": len(table),
        "works": best["works"] == tuning.YES,
    }
    write_choice(options.out, {**kept, **numbers, "settings": settings})
    return f"{options.out}: trial {best['trial']} of {len(table)}, {best['settings']}"


if __name__ == "__main__":
    run(main, parser())
