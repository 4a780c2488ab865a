"""Rule tune: every trial of a method's hyperparameters on the tuning people, and what the model answers after it.

Reads the configuration's `trials` (all settings of each), `ratios` ([0], the tuning people) and `evaluation`. No
trial's model is kept: the choice is made from the answers, and the study's own jobs start from the vanilla model.
A trial that diverges is a result: it has no answers, and is not chosen.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from manu.core.errors import UserError
from manu.core.files import atomic_path
from manu.evaluation.answers import collect_answers
from manu.models.base import VisionLanguageModel
from manu.neurons.masks import Mask, apply_mask
from manu.steps.command import StageParser, progress, run
from manu.steps.models import load_model
from manu.steps.select_neurons import pruned_by
from manu.steps.unlearn import unlearned
from manu.steps.write_prompt import prompt
from manu.training.loop import Diverged
from manu.unlearning.registry import Method, create_method

log = logging.getLogger(__name__)


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True)
    options.read("benchmark")
    options.read("vanilla")
    options.read("statistics", required=False, help="of the tuning people, for a pruning method")
    options.write("out")
    return options


def forget(
    config: dict,
    method: Method,
    vlm: VisionLanguageModel,
    benchmark: Path,
    ratio: int,
    pruned: Sequence[Mask] = (),
    earlier: Sequence[str] = (),
) -> str | None:
    """Let the model forget the people of a ratio, in place, by a method of any kind, as the study's own jobs do.

    Returns the system prompt that the model is asked with from then on, if there is one. Arguments as for
    `manu.steps.unlearn.unlearned`; a prompt names the people of `earlier` as well.
    """
    if method.kind == "prompting":
        return prompt(method, benchmark, ratio)
    if method.kind == "training":
        unlearned(config, method, vlm, benchmark, ratio, pruned, earlier)
    else:
        apply_mask(pruned[-1], vlm.mlp_sites(), vlm.linear_sites())
    return None


def main(options, config) -> str:
    """Try every setting and write the answers of all trials --out (parquet), the trial in the column `trial`.

    Raises UserError when every trial diverges.
    """
    tried = []
    what = f"{config['model']} {config['method']} trials"
    for number, settings in enumerate(progress(config["trials"], what), start=1):
        method, vlm = create_method(config["method"], settings), load_model(config, options.vanilla)
        pruned = pruned_by(method, options.statistics)
        try:
            system = forget(config, method, vlm, options.benchmark, config["ratios"][0], pruned)
        except Diverged as error:
            log.warning("trial %d of %s on %s diverged: %s", number, config["method"], config["model"], error)
            continue
        answers = collect_answers(vlm, options.benchmark, config, config["ratios"], config["evaluation"], system)
        tried.append(answers.assign(trial=number))
    if not tried:
        raise UserError(f"{what}: all {len(config['trials'])} diverge; give the study smaller steps to choose from")
    with atomic_path(options.out) as temporary:
        pd.concat(tried, ignore_index=True).to_parquet(temporary, index=False)
    return f"{options.out}: {len(tried)} trials"


if __name__ == "__main__":
    run(main, parser())
