"""How many units each mask prunes, and how stable the choice is: what the masks of two halves of the data share."""

from collections.abc import Mapping, Sequence

import pandas as pd

from manu.analysis.cells import DECIMALS
from manu.analysis.grid import TableOnPage
from manu.analysis.origin import From, origins
from manu.analysis.page import Block, Page
from manu.analysis.reading import Inputs
from manu.analysis.shortened import shortened
from manu.analysis.tables.base import Table, plain_grid

KEYS = ("model", "method", "forget_ratio", "seed", "unit")
NUMBERS = {"pruned": "pruned", "candidates": "width", "pruned_percent": "pruned", "stability": "stability"}
MASKS = ("masks", "ablation_masks")


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """One row per mask: methods, then the ablation's variants (KEYS, NUMBERS)."""
    return selections(inputs.masks(*MASKS))


def selections(pruned: pd.DataFrame) -> pd.DataFrame:
    """One row per mask, from one row per site (manu.analysis.pruned.PRUNED_COLUMNS).

    candidates: units that could be pruned; pruned_percent: of these; stability: what the masks of two halves of the
    data share, in percent of a mask, empty where the statistics have no halves.
    """
    of_mask = pruned.groupby(list(KEYS), sort=False, as_index=False).agg(
        pruned=("pruned", "sum"), candidates=("width", "sum"), stability=("stability", "first")
    )
    shares = {
        "pruned_percent": 100 * of_mask["pruned"] / of_mask["candidates"],
        "stability": 100 * of_mask["stability"],
    }
    return of_mask.assign(**shares)[[*KEYS, *NUMBERS]].round(DECIMALS)


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """Every column."""
    return [plain_grid(shortened(table), KEYS, page, TABLE.title)]


TABLE = Table(
    title="Selection",
    caption="How many units each mask prunes, and how much the choice depends on the questions that were measured. "
    "Stability: the questions about forget people and about retain people are split into two halves, and the method "
    "selects units from each half alone. The column gives the percentage of a mask that both halves select. Two random "
    "masks would share the percentage that is pruned. It is empty for the released code, whose statistics cannot be "
    "split. Random units do not depend on the data, so theirs is 100.",
    section="activations",
    needs=("masks",),
    optional=("ablation_masks",),
    keys=KEYS,
    make=make,
    origin=origins({column: From(MASKS, KEYS[:4], value) for column, value in NUMBERS.items()}),
    show=show,
)
