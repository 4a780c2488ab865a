"""Rule select_neurons: from statistics to a mask, and a table of the neurons that go.

Stage two of MANU. The masked model is never stored: a mask beside the vanilla model says it all.
"""

from pathlib import Path
from typing import Any

from manu.core.files import atomic_path
from manu.neurons.masks import Mask, save_mask
from manu.neurons.released import ReleasedStatistics
from manu.neurons.selection import Selection
from manu.neurons.sensitivity import GradientStatistics
from manu.neurons.statistics import RunningStatistics
from manu.neurons.table import neurons_table
from manu.steps.command import StageParser, run
from manu.unlearning.base import PruningMethod
from manu.unlearning.choice import chosen_settings
from manu.unlearning.registry import Method, create_method


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("statistics")
    options.read("choice", required=False, help="the tuned settings (choice.json)")
    options.write("mask")
    options.write("neurons", help="table of the pruned neurons, CSV")
    return options


def read_statistics(method: PruningMethod, path: Path) -> Any:
    """The statistics in a file, of the kind that a method needs. Raises UserError on another kind or a broken file."""
    kinds = {"modality": RunningStatistics, "released": ReleasedStatistics, "gradient": GradientStatistics}
    return kinds[method.statistics].load(path)


def selected(method: PruningMethod, statistics: Any) -> tuple[Selection, Mask]:
    """The units that a method prunes, from statistics of the kind that it needs, and the mask that does it."""
    selection = method.select(statistics)
    return selection, Mask(selection.masks, selection.unit, method.factor)


def pruned_by(method: Method, statistics: Path | None) -> tuple[Mask, ...]:
    """The mask of a method that prunes or begins with pruning, from a file of statistics; none of any other."""
    pruning = method.pruning
    return (selected(pruning, read_statistics(pruning, statistics))[1],) if pruning else ()


def main(options, config) -> str:
    """Write the mask --mask and the table --neurons."""
    method = create_method(config["method"], config["settings"] | chosen_settings(options.choice))
    selection, mask = selected(method, read_statistics(method, options.statistics))
    save_mask(options.mask, mask)
    with atomic_path(options.neurons) as temporary:
        neurons_table(selection).to_csv(temporary, index=False, float_format="%.8g", lineterminator="\n")
    share = 100 * selection.pruned / selection.total
    return f"{options.mask}: {selection.pruned} of {selection.total} units pruned ({share:.1f} %)"


if __name__ == "__main__":
    run(main, parser())
