"""Every claim put to the test in every run: the measured value, its interval, the threshold and the verdict."""

from collections.abc import Mapping

import pandas as pd

from manu.analysis.claims import CELL_COLUMNS, Context, Measured, claim_cells, measured, read_claims
from manu.analysis.origin import From, origins
from manu.analysis.outcomes import ANSWER_COLUMNS
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Study, Table, intervals

RUN = ("model", "forget_ratio", "seed")
NUMBERS = ("value", "ci_low", "ci_high")
OF_RUN = From(("answers", "variants"), RUN, "correct")  # a claim may use every method of a run


def settings(study: Study) -> dict:
    """The methods; of the ablation the prune ratio of each variant, and the variant with all importance functions."""
    ratios = {name: variant.settings["prune_ratio"] for name, variant in study.ablation.variants.items()}
    functions = study.ablation.by_function()
    union = next((name for name, chosen in functions.items() if len(chosen) > 1), None)
    return {"methods": list(study.methods), "prune_ratios": ratios, "union": union, **intervals(study)}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """CELL_COLUMNS, one row per claim, method and run."""
    return claim_cells(claims_measured(inputs, settings), settings["intervals"]["level"])


def claims_measured(inputs: Inputs, settings: Mapping) -> list[Measured]:
    """Every claim in every run."""
    document = read_claims(inputs.document("claims_file"), str(inputs.paths("claims_file")[0]))
    answers = inputs.answers(*OF_RUN.sources, columns=ANSWER_COLUMNS)
    baselines = [name for name in document["baselines"] if name in settings["methods"]]
    context = Context(baselines, settings["prune_ratios"], settings["union"])
    return measured(answers, document, context, settings["intervals"]["resamples"])


TABLE = Table(
    title="Claims by run",
    caption="The claims of config/claims.yaml put to the test in every run: the measured value, its interval "
    "over people (training noise is in the claims' other tables), the threshold and the verdict.",
    section="claims",
    needs=("answers", "claims_file"),
    optional=("variants",),
    keys=tuple(column for column in CELL_COLUMNS if column not in NUMBERS),
    settings=settings,
    make=make,
    origin=origins(dict.fromkeys(NUMBERS, OF_RUN)),
    show=lambda table, page: [],  # the table of the claims shows it
)
