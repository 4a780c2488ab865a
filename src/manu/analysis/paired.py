"""Paired tests between methods: did one answer the same questions better than the other?

For each person the difference of the two methods' mean accuracy; the test asks whether signs could as well be
swapped person by person (a paired permutation test, two-sided; people, not questions, are the units, since the
questions about one person are not independent). The p-values of one model, forget ratio and seed are corrected
together (Benjamini and Hochberg 1995).
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, permutation_test

from manu.analysis.cells import DECIMALS
from manu.analysis.intervals import cell_seed
from manu.analysis.origin import Origin, same
from manu.evaluation.vocabulary import MODALITIES

RUN = ("study", "model", "forget_ratio", "seed")
COLUMNS = (
    *RUN,
    "method",
    "other_method",
    "split",
    "modality",
    "difference",
    "people",
    "p_value",
    "p_adjusted",
    "significant",
)
SPLITS = ("forget", "retain")
RESAMPLES = 1999


def paired_p(differences: np.ndarray, seed: int, resamples: int = RESAMPLES) -> float:
    """Two-sided p-value of a paired permutation test on each person's difference; exact where there are few people.

    differences: [people]. 1.0 when all are zero, and for one person.
    """
    if differences.size < 2 or not differences.any():
        return 1.0
    done = permutation_test(
        (differences, np.zeros_like(differences)),
        lambda one, other, axis=-1: np.mean(one - other, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    )
    return float(done.pvalue)


def paired_tests(answers: pd.DataFrame, methods: list[str], level: float = 0.95) -> pd.DataFrame:
    """Every pair of methods on classification, forget and retain, both modalities (COLUMNS).

    methods: in the order of the tables; a pair stands once, `method` before `other_method`. difference: accuracy
    of `method` minus that of `other_method`, a fraction, each person counting the same; p_adjusted: corrected
    over all tests of a run; significant: p_adjusted < 1 - level.
    """
    chosen = answers[(answers["task"] == "classification") & answers["split"].isin(SPLITS)]
    means = chosen.groupby([*RUN, "split", "modality", "profile_id", "method"], sort=True)["correct"].mean()
    rows = []
    for keys, run in means.groupby(level=list(RUN)):
        table = run.droplevel(list(RUN)).unstack("method")
        there = [name for name in methods if name in table.columns]
        first = len(rows)
        for split in SPLITS:
            for modality in MODALITIES:
                if (split, modality) not in table.index.droplevel("profile_id"):
                    continue
                cell = table.loc[(split, modality)]
                for one, other in combinations(there, 2):
                    differences = (cell[one] - cell[other]).to_numpy()
                    p = paired_p(differences, cell_seed(*keys, one, other, split, modality))
                    rows.append([*keys, one, other, split, modality, differences.mean(), len(differences), p])
        adjusted = false_discovery_control([row[-1] for row in rows[first:]]) if len(rows) > first else []
        for row, value in zip(rows[first:], adjusted, strict=True):
            row += [float(value), bool(value < 1 - level)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = ["difference", "p_value", "p_adjusted"]
    return table.assign(**table[numbers].astype("float64").round(DECIMALS))


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The two methods' answers; an adjusted p-value depends on all tests of its run."""
    if column not in ("difference", "people", "p_value", "p_adjusted"):
        return None
    where = same(row, *RUN) | {"task": ("classification",)}
    if column == "p_adjusted":
        return Origin(("answers",), where | {"split": SPLITS}, "correct")
    pair = {"method": (row["method"], row["other_method"])}
    return Origin(("answers",), where | same(row, "split", "modality") | pair, "correct")
