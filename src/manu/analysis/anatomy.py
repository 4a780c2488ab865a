"""What the pruned neurons did before they went: how strongly and how often they fired, beside those that were kept.

A ratio of importances is large where the retain importance is near zero, so a neuron that hardly fires on retain
can win whatever it does on forget. This table shows whether that is what happened.
"""

from collections.abc import Mapping

import pandas as pd

from manu.analysis.cells import DECIMALS
from manu.analysis.origin import Origin, same
from manu.core.words import MODALITIES, SETS

SILENT = 0.05  # a neuron that fires on less than this share of samples counts as silent
NEURON_COLUMNS = (
    "model",
    "method",
    "forget_ratio",
    "seed",
    "site",
    "part",
    "layer",
    "index",
    "pruned",
    *(f"magnitude_{s}_{m}" for s in SETS for m in MODALITIES),
    *(f"firing_{s}_{m}" for s in SETS for m in MODALITIES),
)
KEYS = ("model", "method", "forget_ratio", "seed")
COLUMNS = (
    *KEYS,
    "part",
    "group",
    "neurons",
    "magnitude_forget",
    "magnitude_retain",
    "forget_over_retain",
    "firing_forget",
    "firing_retain",
    "silent_on_retain",
    "silent_on_both",
)


def summary(neurons: pd.DataFrame) -> pd.DataFrame:
    """Pruned and kept neurons of each part, and of both, beside each other (COLUMNS); no row for an empty group.

    neurons: NEURON_COLUMNS, one row per neuron. magnitude: median over the neurons of the mean |z| (the larger of
    the two modalities); forget_over_retain: median of the ratio of the two; firing: median share of samples with
    |z| > tau (the larger modality); silent_on_retain: share of the neurons that fire on less than SILENT of the
    retain samples in either modality; silent_on_both: on less than SILENT of forget and of retain samples.
    """
    strongest = neurons.assign(
        **{
            f"{what}_{s}": neurons[[f"{what}_{s}_{m}" for m in MODALITIES]].max(axis=1)
            for what in ("magnitude", "firing")
            for s in SETS
        }
    )
    rows = []
    for keys, cell in strongest.groupby(list(KEYS), sort=True):
        for part in ("all", *dict.fromkeys(cell["part"])):
            here = cell if part == "all" else cell[cell["part"] == part]
            for group, chosen in (("pruned", here[here["pruned"]]), ("kept", here[~here["pruned"]])):
                if chosen.empty:
                    continue
                quiet = {s: chosen[f"firing_{s}"] < SILENT for s in SETS}
                ratio = chosen["magnitude_forget"] / chosen["magnitude_retain"].clip(lower=1e-12)
                rows.append(
                    (
                        *keys,
                        part,
                        group,
                        len(chosen),
                        chosen["magnitude_forget"].median(),
                        chosen["magnitude_retain"].median(),
                        ratio.median(),
                        chosen["firing_forget"].median(),
                        chosen["firing_retain"].median(),
                        quiet["retain"].mean(),
                        (quiet["retain"] & quiet["forget"]).mean(),
                    )
                )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = list(COLUMNS[COLUMNS.index("magnitude_forget") :])
    return table.round(dict.fromkeys(numbers, DECIMALS))


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The neurons of a group."""
    if column not in COLUMNS[COLUMNS.index("neurons") :]:
        return None
    where = same(row, *KEYS) | {"pruned": (row["group"] == "pruned",)}
    if row["part"] != "all":
        where["part"] = (row["part"],)
    return Origin(("neurons",), where, "magnitude_forget_multimodal")
