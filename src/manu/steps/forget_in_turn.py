"""Rule forget_in_turn: requests to forget, one after another, each from the model that the request before it left.

Reads the configuration's `requests` (forget ratios, ascending) and `settings`. A request names the people of its forget
set whom no earlier request names. After each request everybody of the largest ratio is asked, forget and retain
(columns `after`, the ratio reached, and `requested`, the ratio at which the person is named). No model is kept. If a
request makes the training diverge, no answers are kept, not even those after earlier requests.
"""

import logging

import pandas as pd

from manu.attacks.sequential import with_requests
from manu.core.diverged import write_unanswered
from manu.core.files import write_parquet
from manu.evaluation.answers import answer, questions_of
from manu.models.checkpoint import load_model
from manu.steps.command import StageParser, run
from manu.training.loop import Diverged
from manu.unlearning.choice import chosen_settings
from manu.unlearning.in_turn import in_turn
from manu.unlearning.registry import create_method

log = logging.getLogger(__name__)


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True).read("benchmark", "vanilla").read("choice", required=False)
    return options.read("references", required=False, nargs="+").write("out")


def main(options, config) -> str:
    """Forget in turn, and write the answers after each request --out (parquet)."""
    method = create_method(config["method"], config["settings"] | chosen_settings(options.choice))
    vlm, evaluation = load_model(config, options.vanilla), config["evaluation"]
    questions = questions_of(options.benchmark, config["ratios"], evaluation)
    try:
        after_each = [
            answer(vlm, *questions, config, evaluation, system).assign(after=ratio)
            for ratio, system in in_turn(config, method, vlm, options.benchmark, options.references or ())
        ]
    except Diverged as error:
        log.warning("%s on %s diverged: %s", config["method"], config["model"], error)
        write_unanswered(options.out, config, str(error))
        return f"{options.out}: diverged, {error}"
    answers = with_requests(pd.concat(after_each, ignore_index=True), options.benchmark, config["requests"])
    write_parquet(options.out, answers)
    return f"{options.out}: {len(after_each)} requests, {len(answers)} answers"


if __name__ == "__main__":
    run(main, parser())
