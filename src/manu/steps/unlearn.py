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
    options = StageParser(__doc__, runs_model=True).read("benchmark", "vanilla")
    options.read("statistics", "choice", "reference", required=False).write("out")
    return options.take("ratio", type=int, required=True)


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
