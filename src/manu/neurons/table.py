"""Tables of neurons, one row each: the pruned ones with their scores, and all with their activations."""

from collections.abc import Mapping

import pandas as pd
from torch import Tensor

from manu.core.words import MODALITIES, SETS
from manu.neurons.importance import FUNCTIONS
from manu.neurons.selection import Selection, layer_of, part_of
from manu.neurons.statistics.modality import ModalityStatistics

IMPORTANCE_COLUMNS = tuple(f"i_{function}_{data_set}" for data_set in SETS for function in FUNCTIONS)


def neurons_table(selection: Selection) -> pd.DataFrame:
    """One row per pruned unit, best rank first.

    Columns: site, part, layer, index (within the site), the importances of the selection, those of IMPORTANCE_COLUMNS
    first, score, rank (1 = highest score among the units ranked together).
    """
    known = [column for column in IMPORTANCE_COLUMNS if column in selection.importances]
    listed = known + [column for column in selection.importances if column not in known]
    columns = {column: selection.importances[column] for column in listed}
    columns |= {"score": selection.scores, "rank": selection.ranks}
    frames = []
    for site, mask in selection.masks.items():
        index = mask.nonzero().flatten()
        where = {"site": site, "part": part_of(site), "layer": layer_of(site), "index": index.cpu().numpy()}
        frames.append(
            pd.DataFrame(where | {name: by_site[site][index].cpu().numpy() for name, by_site in columns.items()})
        )
    return pd.concat(frames).sort_values("rank", kind="stable", ignore_index=True)


def activations_table(statistics: ModalityStatistics, masks: Mapping[str, Tensor]) -> pd.DataFrame:
    """One row per neuron that was a candidate: what it did on both sets in both modalities, and whether it is pruned.

    Columns: site, part, layer, index, pruned, and for each set and modality magnitude_<set>_<modality> (mean over
    samples of the mean |z| over tokens) and firing_<set>_<modality> (share of samples in which it is above tau).
    """
    frames = []
    for site, mask in masks.items():
        columns = {"site": site, "part": part_of(site), "layer": layer_of(site), "index": range(len(mask))}
        frame = pd.DataFrame({**columns, "pruned": mask.numpy()})
        for data_set in SETS:
            for modality in MODALITIES:
                sums = statistics.sums(data_set, modality, "mean", site)
                frame[f"magnitude_{data_set}_{modality}"] = (sums.sum_abs / sums.count).numpy()
                frame[f"firing_{data_set}_{modality}"] = (sums.count_over / sums.count).numpy()
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
