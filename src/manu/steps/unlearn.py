"""Rule unlearn: train the vanilla model with a method on the forget set.

A training that diverges is a result: its checkpoint is marked, and the study goes on without its answers.
"""

import logging

from manu.core.diverged import mark
from manu.models.checkpoint import load_model
from manu.steps.command import StageParser, run
from manu.training.loop import Diverged
from manu.unlearning.base import TrainingMethod
from manu.unlearning.choice import chosen_settings
from manu.unlearning.pruning import pruned_by
from manu.unlearning.registry import create_kind
from manu.unlearning.run import unlearned

log = logging.getLogger(__name__)


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True)
    options.read("benchmark")
    options.read("vanilla")
    options.read("statistics", required=False, help="of the forget ratio, for a method that begins with pruning")
    options.read("choice", required=False, help="the tuned settings (choice.json)")
    options.read("reference", required=False, help="the model that the method compares with, if that is not vanilla")
    options.write("out")
    options.add_argument("--ratio", type=int, required=True, help="forget ratio in percent")
    return options


def main(options, config) -> str:
    """Unlearn and save the checkpoint --out."""
    method = create_kind(TrainingMethod, config["method"], config["settings"] | chosen_settings(options.choice))
    vlm, pruned = load_model(config, options.vanilla), pruned_by(method, options.statistics)
    reference = load_model(config, options.reference).model.requires_grad_(False) if options.reference else None
    try:
        losses = unlearned(config, method, vlm, options.benchmark, options.ratio, pruned, reference=reference)
    except Diverged as error:
        log.warning("%s on %s at %d percent diverged: %s", config["method"], config["model"], options.ratio, error)
        vlm.save(options.out)
        mark(options.out, str(error))
        return f"{options.out}: diverged, {error}"
    vlm.save(options.out)
    return f"{options.out}: {len(losses)} steps, loss {losses[0]:.3f} -> {losses[-1]:.3f}"


if __name__ == "__main__":
    run(main, parser())
