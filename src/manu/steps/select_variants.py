"""Rule select_variants: the mask of every variant of the ablation, from the stored statistics of its kind.

Reads the configuration's `variants` (name -> method and settings); --masks come in their order. --statistics: a file
<kind>.safetensors of each kind that a variant uses.
"""

from manu.neurons.masks import save_mask
from manu.steps.command import StageParser, run
from manu.unlearning.base import PruningMethod
from manu.unlearning.pruning import read_statistics, selected
from manu.unlearning.registry import create_kind


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__, replayable=True).read("statistics", nargs="+").write("masks", nargs="+")


def main(options, config) -> str:
    """Write the masks --masks."""
    by_kind = {path.stem: path for path in options.statistics}
    for path, variant in zip(options.masks, config["variants"].values(), strict=True):
        method = create_kind(PruningMethod, variant["method"], variant["settings"])
        statistics = read_statistics(method, by_kind[method.statistics])
        save_mask(path, selected(method, statistics)[1])
    return f"{options.masks[0].parent.parent}: the masks of {len(options.masks)} variants"


if __name__ == "__main__":
    run(main, parser())
