"""Rule select_random: a mask of random neurons of the vanilla model.

If random pruning costs nothing, the model is over-parameterised, and no pruning result on it means anything. The
answers under these masks show whether that is so.
"""

from manu.models.checkpoint import load_model
from manu.neurons.masks import Mask, save_mask
from manu.neurons.selection import random_selection
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__, runs_model=True).read("vanilla").write("mask")


def main(options, config) -> str:
    """Write the mask --mask."""
    sites = load_model(config, options.vanilla).mlp_sites()
    selection = random_selection({site.name: site.width for site in sites}, config["prune_ratio"], config["seed"])
    save_mask(options.mask, Mask(selection.masks, selection.unit))
    return f"{options.mask}: {sum(int(mask.sum()) for mask in selection.masks.values())} random neurons"


if __name__ == "__main__":
    run(main, parser())
