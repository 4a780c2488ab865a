"""How many neurons of each site a mask prunes, with the keys that the mask's path tells."""

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from manu.errors import UserError

PRUNED_COLUMNS = ("model", "method", "forget_ratio", "seed", "unit", "site", "part", "layer", "pruned", "width")
_LAYOUT = "<model>/seed<k>/forget<rr>/<method>/mask.safetensors"


def keys_of(path: str | Path) -> dict[str, str | int]:
    """model, seed, forget_ratio (percent) and method of a mask, from its path. Raises UserError."""
    parts = Path(path).parts[-5:]
    seed = re.fullmatch(r"seed(\d+)", parts[1]) if len(parts) == 5 else None
    ratio = re.fullmatch(r"forget(\d+)", parts[2]) if len(parts) == 5 else None
    if not seed or not ratio or parts[4] != "mask.safetensors":
        raise UserError(f"{path}: the path of a mask has to end with {_LAYOUT}")
    return {"model": parts[0], "method": parts[3], "forget_ratio": int(ratio[1]), "seed": int(seed[1])}


def read_pruned(paths: Iterable[str | Path]) -> pd.DataFrame:
    """One row per site of each mask (PRUNED_COLUMNS), sites in the model's order.

    pruned: number of units pruned, 0 included; width: units of the site; unit: "mlp_input" (a neuron)
    or "linear_output" (a row of a linear layer). Raises UserError on a path or file that is no mask.
    """
    from manu.neurons.masks import load_mask  # brings torch, which no other analysis needs
    from manu.neurons.selection import layer_of, part_of

    rows = []
    for path in paths:
        keys = keys_of(path)
        mask = load_mask(path)
        for site, pruned in mask.masks.items():
            counts = {"pruned": int(pruned.sum()), "width": len(pruned)}
            rows.append({**keys, "unit": mask.unit, "site": site, "part": part_of(site), "layer": layer_of(site), **counts})
    return pd.DataFrame(rows, columns=list(PRUNED_COLUMNS))
