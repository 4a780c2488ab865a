"""The pruned neurons one by one: where each is, its importances, score and rank."""

import pandas as pd

from manu.neurons.importance import FUNCTIONS
from manu.neurons.selection import Selection, layer_of, part_of
from manu.neurons.statistics import SETS

IMPORTANCE_COLUMNS = tuple(f"i_{function}_{data_set}" for data_set in SETS for function in FUNCTIONS)


def neurons_table(selection: Selection) -> pd.DataFrame:
    """One row per pruned unit, best rank first.

    Columns: site, part, layer, index (within the site), the importances that the selection has
    (of the published ones each function on the forget and on the retain set), score, rank (1 = highest score among
    the units ranked together).
    """
    known = [column for column in IMPORTANCE_COLUMNS if column in selection.importances]
    listed = known + [column for column in selection.importances if column not in known]
    columns = {column: selection.importances[column] for column in listed}
    columns |= {"score": selection.scores, "rank": selection.ranks}
    parts = []
    for site, mask in selection.masks.items():
        index = mask.nonzero().flatten()
        where = {"site": site, "part": part_of(site), "layer": layer_of(site), "index": index.cpu().numpy()}
        parts.append(pd.DataFrame(where | {name: each[site][index].cpu().numpy() for name, each in columns.items()}))
    return pd.concat(parts).sort_values("rank", kind="stable", ignore_index=True)
