"""Rule forget_in_turn: requests to forget one after the other, each from the model that the one before it left.

Reads the configuration's `requests` (forget ratios, ascending) and `settings`; a request names the people of its forget
set whom no earlier one named. After each, everybody of the largest ratio is asked, forget and retain (columns `after`,
the ratio reached, and `requested`, at which the person was named). No model is kept. Where a request makes the training
diverge there are no answers, not of the requests before it either.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from manu.attacks.sequential import with_requests
from manu.core.diverged import write_unanswered
from manu.core.files import atomic_path
from manu.data.profiles import forget_config
from manu.evaluation.answers import answer, questions_of
from manu.models.base import VisionLanguageModel
from manu.neurons.masks import Mask
from manu.steps.command import StageParser, run
from manu.steps.measure_statistics import measured
from manu.steps.models import load_model
from manu.steps.select_neurons import selected
from manu.steps.tune import forget
from manu.training.loop import Diverged
from manu.unlearning.choice import chosen_settings
from manu.unlearning.registry import Method, create_method

log = logging.getLogger(__name__)


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True)
    options.read("benchmark")
    options.read("vanilla")
    options.read("choice", required=False, help="the tuned settings (choice.json)")
    options.write("out")
    return options


def in_turn(
    config: dict, method: Method, vlm: VisionLanguageModel, benchmark: Path
) -> Iterator[tuple[int, str | None]]:
    """Fulfil the requests on the adapter's model, in place; after each yield (its ratio, the system prompt if any).

    A method that prunes measures the model as it is then, and what earlier requests pruned stays pruned.
    """
    pruned: list[Mask] = []
    earlier: list[str] = []
    for ratio in config["requests"]:
        if method.pruning:
            statistics = measured(config, vlm, benchmark, ratio, method.pruning.statistics, earlier)
            pruned.append(selected(method.pruning, statistics)[1])
        yield ratio, forget(config, method, vlm, benchmark, ratio, pruned, earlier)
        earlier.append(forget_config(ratio))


def main(options, config) -> str:
    """Forget in turn, and write the answers after each request --out (parquet)."""
    method = create_method(config["method"], config["settings"] | chosen_settings(options.choice))
    vlm, evaluation = load_model(config, options.vanilla), config["evaluation"]
    asked = questions_of(options.benchmark, config["ratios"], evaluation)
    try:
        user_message = [
            answer(vlm, *asked, config, evaluation, system).assign(after=ratio)
            for ratio, system in in_turn(config, method, vlm, options.benchmark)
        ]
    except Diverged as error:
        log.warning("%s on %s diverged: %s", config["method"], config["model"], error)
        write_unanswered(options.out, config, str(error))
        return f"{options.out}: diverged, {error}"
    answers = with_requests(pd.concat(user_message, ignore_index=True), options.benchmark, config["requests"])
    with atomic_path(options.out) as temporary:
        answers.to_parquet(temporary, index=False)
    return f"{options.out}: {len(user_message)} requests, {len(answers)} answers"


if __name__ == "__main__":
    run(main, parser())
