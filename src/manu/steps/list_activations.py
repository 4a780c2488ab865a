"""Rule list_activations: what every neuron did on forget and retain, and whether it is pruned."""

from manu.analysis.cells import csv_text
from manu.analysis.pruned import keys_of
from manu.analysis.tables.activations import NEURON_COLUMNS
from manu.core.files import write_text
from manu.neurons.masks import load_mask
from manu.neurons.statistics.modality import ModalityStatistics
from manu.neurons.table import activations_table
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__, replayable=True).read("statistics", "mask").write("out")


def main(options, config) -> str:
    """Write the list --out (CSV), one row per neuron that was a candidate."""
    table = activations_table(ModalityStatistics.load(options.statistics), load_mask(options.mask).masks)
    table = table.assign(**keys_of(options.mask))[list(NEURON_COLUMNS)]
    write_text(options.out, csv_text(table))
    return f"{options.out}: {len(table)} neurons, {int(table['pruned'].sum())} pruned"


if __name__ == "__main__":
    run(main, parser())
