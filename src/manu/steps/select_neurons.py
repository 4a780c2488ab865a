"""Rule select_neurons: from statistics to a mask, and a table of the pruned neurons.

Stage two of MANU. The pruned model is not stored: it is the vanilla model under the mask.
"""

from manu.core.files import atomic_path
from manu.neurons.masks import save_mask
from manu.neurons.table import neurons_table
from manu.steps.command import StageParser, run
from manu.unlearning.base import PruningMethod
from manu.unlearning.choice import chosen_settings
from manu.unlearning.pruning import read_statistics, selected
from manu.unlearning.registry import create_kind


def parser() -> StageParser:
    """Options of the rule."""
    return (
        StageParser(__doc__, replayable=True).read("statistics").read("choice", required=False).write("mask", "neurons")
    )


def main(options, config) -> str:
    """Write the mask --mask and the table --neurons."""
    method = create_kind(PruningMethod, config["method"], config["settings"] | chosen_settings(options.choice))
    selection, mask = selected(method, read_statistics(method, options.statistics))
    save_mask(options.mask, mask)
    with atomic_path(options.neurons) as temporary:
        neurons_table(selection).to_csv(temporary, index=False, float_format="%.8g", lineterminator="\n")
    share = 100 * selection.pruned / selection.total
    return f"{options.mask}: {selection.pruned} of {selection.total} units pruned ({share:.1f} %)"


if __name__ == "__main__":
    run(main, parser())
