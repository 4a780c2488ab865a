"""The trials of a method's hyperparameters: what the model answers after each."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from manu.core.progress import progress
from manu.evaluation.answers import collect_answers
from manu.models.checkpoint import load_model
from manu.training.loop import Diverged
from manu.unlearning.pruning import pruned_by
from manu.unlearning.registry import create_method
from manu.unlearning.run import forget

log = logging.getLogger(__name__)


def trial_answers(config: dict, benchmark: Path, vanilla: Path, statistics: Path | None) -> Iterator[pd.DataFrame]:
    """Unlearn the tuning people with every settings of the job's `trials` and yield the answers, with a column `trial`.

    Each trial starts from the vanilla checkpoint; no model is kept. A trial that diverges has no answers.
    """
    name = f"{config['model']} {config['method']} trials"
    for number, settings in enumerate(progress(config["trials"], name), start=1):
        method, vlm = create_method(config["method"], settings), load_model(config, vanilla)
        pruned = pruned_by(method, statistics)
        try:
            system = forget(config, method, vlm, benchmark, config["ratios"][0], pruned)
        except Diverged as error:
            log.warning("trial %d of %s on %s diverged: %s", number, config["method"], config["model"], error)
            continue
        answers = collect_answers(vlm, benchmark, config, config["ratios"], config["evaluation"], system)
        yield answers.assign(trial=number)
