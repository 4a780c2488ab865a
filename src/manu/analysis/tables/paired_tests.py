"""Paired tests between methods: did one answer the same questions better than the other?

For each person the difference of the two methods' mean accuracy; the test asks whether signs could as well be
swapped person by person (a paired permutation test, two-sided; people, not questions, are the units, since the
questions about one person are not independent). The p-values of one model, forget ratio and seed are corrected
together (Benjamini and Hochberg 1995).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import scipy  # its parts are imported when first used

from manu.analysis.cells import rounded, row_order
from manu.analysis.grid import Column, Grid, TableOnPage, decimals, name, number
from manu.analysis.intervals import cell_seed
from manu.analysis.origin import From, Origin, same, select
from manu.analysis.page import Block, Fold, Page
from manu.analysis.page_rows import ASKED, RUN_KEYS, by_model, link_of_run, run_heads, signed
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Study, Table
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
ALL_OF_RUN = From("answers", RUN, "correct", {"task": ("classification",), "split": SPLITS})  # corrected together
RESAMPLES = 1999


def settings(study: Study) -> dict:
    """The methods in the study's order; level: coverage, a test is significant below 1 - level."""
    return {"methods": list(study.methods), "level": study.intervals.level}


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Every pair of methods (COLUMNS)."""
    return paired_tests(inputs.answers("answers"), row_order(settings["methods"]), settings["level"])


def paired_p(differences: np.ndarray, seed: int, resamples: int = RESAMPLES) -> float:
    """Two-sided p-value of a paired permutation test on each person's difference; exact where there are few people.

    differences: [people]. 1.0 when all are zero, and for one person.
    """
    if differences.size < 2 or not differences.any():
        return 1.0
    done = scipy.stats.permutation_test(
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
    chosen = select(answers, ALL_OF_RUN.fixed)
    means = chosen.groupby([*RUN, "split", "modality", "profile_id", "method"], sort=True)["correct"].mean()
    rows: list[list] = []
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
        adjusted = scipy.stats.false_discovery_control([row[-1] for row in rows[first:]]) if len(rows) > first else []
        for row, value in zip(rows[first:], adjusted, strict=True):
            row += [float(value), bool(value < 1 - level)]
    return rounded(pd.DataFrame(rows, columns=list(COLUMNS)), ("difference", "p_value", "p_adjusted"))


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The two methods' answers; an adjusted p-value depends on all tests of its run."""
    if column == "p_adjusted":
        return ALL_OF_RUN.origin(row)
    pair = {"method": (row["method"], row["other_method"])}
    return Origin(("answers",), ALL_OF_RUN.where(row) | same(row, "split", "modality") | pair, "correct")


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """Model by model."""
    return [_show(part, page) for part in by_model(table).values()]


def _show(table: TableOnPage, page: Page) -> Fold:
    """One model's tests, the significant ones first, then by p-value."""
    ordered = sorted(table.rows, key=lambda row: (row["significant"] != "True", float(row["p_adjusted"])))
    heads, start = run_heads(table.rows)
    columns = [
        *heads,
        Column("against", words=True),
        Column("questions", words=True),
        Column("asked", words=True),
        Column("difference"),
        Column("p corrected"),
        Column("people"),
        Column("significant", words=True),
    ]
    keys, file = (*RUN_KEYS, "other_method", "split", "modality"), page.chains.file(table.path)

    rows = [
        [
            *(
                replace(cell, link=link_of_run(row, page, file)) if at == 1 else cell
                for at, cell in enumerate(start(row))
            ),
            name(row["other_method"], link=link_of_run(row, page, file, "other_method")),
            name(row["split"]),
            name(ASKED.get(row["modality"], row["modality"])),
            number(table, row, "difference", keys, file, lambda text: signed(float(text))),
            number(table, row, "p_adjusted", keys, file, decimals(4)),
            number(table, row, "people", keys, file, str),
            name("yes" if row["significant"] == "True" else "no"),
        ]
        for row in ordered
    ]
    model, significant = table.rows[0]["model"], sum(row["significant"] == "True" for row in table.rows)
    grid = Grid(f"{model}: paired tests, differences in points", columns, rows, 2)
    return Fold(f"{model}: {significant} of {len(rows)} tests significant", [grid])


TABLE = Table(
    title="Paired tests",
    caption="Did one method answer the same questions better than the other? Signs are swapped person by person, "
    "two-sided; the p-values of one model, forget ratio and seed are corrected together (Benjamini and "
    "Hochberg). Differences in points of accuracy; the uncorrected p-values stand in the file.",
    section="paired",
    needs=("answers",),
    keys=(*RUN, "method", "other_method", "split", "modality", "significant"),
    settings=settings,
    make=make,
    origin=origin,
    show=show,
)
