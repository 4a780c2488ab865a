"""Rule list_activations: statistics and a mask -> what every neuron did on forget and retain, and whether it went."""

import pandas as pd

from manu.analysis import anatomy
from manu.analysis.cells import csv_text
from manu.analysis.pruned import keys_of
from manu.core.files import write_text
from manu.neurons.masks import load_mask
from manu.neurons.selection import layer_of, part_of
from manu.neurons.statistics import RunningStatistics
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("statistics")
    options.read("mask")
    options.write("out")
    return options


def main(options, config) -> str:
    """Write the list --out (CSV), one row per neuron that was a candidate."""
    statistics = RunningStatistics.load(options.statistics)
    masks = load_mask(options.mask).masks
    keys, parts = keys_of(options.mask), []
    for site, mask in masks.items():
        columns = {"site": site, "part": part_of(site), "layer": layer_of(site), "index": range(len(mask))}
        frame = pd.DataFrame({**keys, **columns, "pruned": mask.numpy()})
        for data_set in anatomy.SETS:
            for modality in anatomy.MODALITIES:
                sums = statistics.sums(data_set, modality, "mean", site)
                frame[f"magnitude_{data_set}_{modality}"] = (sums.sum_abs / sums.count).numpy()
                frame[f"firing_{data_set}_{modality}"] = (sums.count_over / sums.count).numpy()
        parts.append(frame)
    table = pd.concat(parts, ignore_index=True)[list(anatomy.NEURON_COLUMNS)]
    write_text(options.out, csv_text(table))
    return f"{options.out}: {len(table)} neurons, {int(table['pruned'].sum())} pruned"


if __name__ == "__main__":
    run(main, parser())
