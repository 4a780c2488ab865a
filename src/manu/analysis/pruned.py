"""How many neurons of each site a mask prunes, with the keys that the mask's path tells."""

import math
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from manu.core.errors import UserError

PRUNED_COLUMNS = (
    "model",
    "method",
    "forget_ratio",
    "seed",
    "unit",
    "site",
    "part",
    "layer",
    "pruned",
    "width",
    "stability",
)
_LAYOUT = "<model>/seed<k>/forget<rr>/<method>/mask.safetensors"
_PATH = re.compile(r"(?:.*/)?([^/]+)/seed(\d+)/forget(\d+)/(?:ablation/)?([^/]+)/mask\.safetensors")


def keys_of(path: str | Path) -> dict[str, str | int]:
    """model, seed, forget_ratio (percent) and method of a mask, or an ablation's variant, from its path.

    Raises UserError.
    """
    found = _PATH.fullmatch(Path(path).as_posix())
    if not found:
        raise UserError(f"{path}: the path of a mask has to end with {_LAYOUT}")
    model, seed, ratio, method = found.groups()
    return {"model": model, "method": method, "forget_ratio": int(ratio), "seed": int(seed)}


def read_pruned(paths: Iterable[str | Path]) -> pd.DataFrame:
    """One row per site of each mask (PRUNED_COLUMNS), sites in the model's order.

    pruned: number of units pruned, 0 included; width: units of the site; unit: "mlp_input" (a neuron)
    or "linear_output" (a row of a linear layer); stability: of the whole mask, from 0 to 1. Raises UserError on a
    path or file that is no mask.
    """
    from manu.neurons.masks import load_mask  # brings torch, which no other analysis needs
    from manu.neurons.selection import layer_of, part_of

    rows = []
    for path in paths:
        keys = keys_of(path)
        mask = load_mask(path)
        stability = math.nan if mask.stability is None else mask.stability
        for site, pruned in mask.masks.items():
            counts = {"pruned": int(pruned.sum()), "width": len(pruned), "stability": stability}
            rows.append(
                {**keys, "unit": mask.unit, "site": site, "part": part_of(site), "layer": layer_of(site), **counts}
            )
    return pd.DataFrame(rows, columns=list(PRUNED_COLUMNS))
