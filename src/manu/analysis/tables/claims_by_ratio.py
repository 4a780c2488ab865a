"""Every claim at every forget ratio: the mean over the training runs, with an interval over people and runs."""

from collections.abc import Mapping

import pandas as pd

from manu.analysis.claims import RATIO_COLUMNS, claims_over_runs
from manu.analysis.origin import From, origins
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Table
from manu.analysis.tables.claims_by_run import NUMBERS, OF_RUN, claims_measured, settings

OF_RATIO = From(OF_RUN.sources, ("model", "forget_ratio"), OF_RUN.value)


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """RATIO_COLUMNS, one row per claim, method, model and forget ratio."""
    return claims_over_runs(claims_measured(inputs, settings), settings["intervals"]["level"])


TABLE = Table(
    title="Claims by ratio",
    caption="The claims of config/claims.yaml put to the test at every forget ratio: the mean over the training runs, "
    "its interval over people and runs, the threshold and the verdict. With one run the interval is over people alone.",
    section="claims",
    needs=("answers", "claims_file"),
    optional=("variants",),
    keys=tuple(column for column in RATIO_COLUMNS if column not in NUMBERS),
    settings=settings,
    make=make,
    origin=origins(dict.fromkeys(NUMBERS, OF_RATIO)),
    show=lambda table, page: [],  # the table of the claims shows it
)
