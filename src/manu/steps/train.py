"""Rule train: train a base, vanilla or retain-only model (manu.training.stages), as the setting `stage` says.

Several processes may share the work (manu.steps.launch).
"""

import numpy as np

from manu.steps.command import StageParser
from manu.steps.launch import is_first, run
from manu.training.stages import trained


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True).read("benchmark")
    return options.read("language_model", "start", required=False).write("out")


def main(options, config) -> str:
    """Train and save the checkpoint --out."""
    vlm, losses = trained(config, options.benchmark, options.start, options.language_model)
    if is_first():
        vlm.save(options.out)
    return f"{options.out}: {len(losses)} steps, loss {losses[0]:.2f} -> {np.mean(losses[-20:]):.3f}"


if __name__ == "__main__":
    run(main, parser())
