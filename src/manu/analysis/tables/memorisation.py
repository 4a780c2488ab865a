"""The gate's numbers: what vanilla knows of the forget people, and what the checkpoint that it started from knows."""

from collections.abc import Mapping

import pandas as pd

from manu.analysis.cells import rounded
from manu.analysis.memorisation import ANSWER_COLUMNS, KEYS, memorised
from manu.analysis.origin import From, Origin
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Table
from manu.evaluation.metrics import METRICS

NUMBERS = {"start": ("start",), "vanilla": ("vanilla",), "lead": ("start", "vanilla")}  # column -> sources


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """manu.analysis.memorisation.COLUMNS, one row per run, modality and task."""
    start, vanilla = (inputs.answers(source, columns=ANSWER_COLUMNS) for source in ("start", "vanilla"))
    return rounded(memorised(start, vanilla), list(NUMBERS))


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The answers about the forget people, of one model or of both."""
    if column not in NUMBERS:
        return None
    keys, sources = [key for key in KEYS if key != "metric"], NUMBERS[column]
    fixed = {"split": ("forget",)}
    return From(sources, keys, METRICS[row["metric"]].column, fixed, mean=len(sources) == 1).origin(row)


TABLE = Table(
    title="Memorisation",
    caption="What the vanilla model knows of the forget people, and what the checkpoint that it started from knows: "
    "accuracy and ROUGE-L, fractions, asked with the picture and by name. lead: the difference. A study stops before "
    "anything is unlearned where the mean lead at the largest forget ratio is below its `memorisation.margin`.",
    needs=("start", "vanilla"),
    keys=KEYS,
    make=make,
    origin=origin,
)
