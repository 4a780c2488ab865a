"""Rule attack: every attack on one model, which is loaded once.

Writes the answers to every question that an attack asks (columns `attack` and `condition` beside those of evaluate),
and the signals of the attacks that read numbers: whether the probe was right, and the membership scores. A model whose
training diverged is not attacked.
"""

import pandas as pd

from manu.attacks.run import attack_answers, attack_signals
from manu.core.diverged import marked, write_unanswered
from manu.core.files import atomic_path
from manu.steps.command import StageParser, run
from manu.steps.evaluate import load_asked, read_asked


def parser() -> StageParser:
    """Options of the rule."""
    return read_asked(StageParser(__doc__, runs_model=True)).write("answers", "signals")


def main(options, config) -> str:
    """Attack, and write --answers and --signals."""
    if why := marked(options.checkpoint):
        for path in (options.answers, options.signals):
            write_unanswered(path, config, why)
        return f"{options.answers}: not attacked, its training diverged ({why})"
    vlm, system = load_asked(options, config)
    keys = {name: config[name] for name in ("study", "model", "method")}
    keys |= {"forget_ratio": config["ratios"][0], "seed": config["seed"]}
    signals = pd.DataFrame([{**keys, **row} for row in attack_signals(config, vlm, options.benchmark)])
    answers = pd.concat(list(attack_answers(config, vlm, options.benchmark, system)), ignore_index=True)
    with atomic_path(options.answers) as new_answers, atomic_path(options.signals) as new_signals:
        answers.to_parquet(new_answers, index=False)
        signals.to_parquet(new_signals, index=False)
    return f"{options.answers}: {len(answers)} answers under attack, {len(signals)} signals"


if __name__ == "__main__":
    run(main, parser())
