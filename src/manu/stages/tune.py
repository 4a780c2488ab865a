"""Rule tune: every trial of a method's hyperparameters on the tuning people, and what the model answers after it.

Reads the configuration's `trials` (all settings of each), `ratios` ([0], the tuning people) and `evaluation`. No
trial's model is kept: the choice is made from the answers, and the study's own jobs start from the vanilla model.
"""

import pandas as pd

from manu.evaluation.answers import collect_answers
from manu.files import atomic_path
from manu.models.base import Adapter
from manu.neurons.masks import apply_mask
from manu.stages import select_neurons, unlearn, write_prompt
from manu.stages.command import StageParser, progress, run
from manu.stages.models import load_model
from manu.unlearning.registry import create_method


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True)
    options.read("benchmark")
    options.read("vanilla")
    options.read("statistics", required=False, help="of the tuning people, for a pruning method")
    options.write("out")
    return options


def _tried(options, config, settings: dict) -> tuple[Adapter, str | None]:
    """The model after one trial, as it is asked, and the system prompt."""
    method, ratio = create_method(config["method"], settings), config["ratios"][0]
    if method.kind == "training":
        given = (options.benchmark, options.vanilla, ratio, options.statistics)
        return unlearn.unlearned(config, method, *given)[0], None
    adapter = load_model(config, options.vanilla)
    if method.kind == "prompting":
        return adapter, write_prompt.prompt(method, options.benchmark, ratio)
    _, mask = select_neurons.selected(method, options.statistics)
    apply_mask(mask, adapter.mlp_sites(), adapter.linear_sites())
    return adapter, None


def main(options, config) -> str:
    """Try every setting and write the answers of all trials --out (parquet), the trial in the column `trial`."""
    tried = []
    what = f"{config['model']} {config['method']} trials"
    for number, settings in enumerate(progress(config["trials"], what), start=1):
        adapter, system = _tried(options, config, settings)
        answers = collect_answers(
            adapter, options.benchmark, config, config["ratios"], config["evaluation"], system
        )
        tried.append(answers.assign(trial=number))
    with atomic_path(options.out) as temporary:
        pd.concat(tried, ignore_index=True).to_parquet(temporary, index=False)
    return f"{options.out}: {len(tried)} trials"


if __name__ == "__main__":
    run(main, parser())
