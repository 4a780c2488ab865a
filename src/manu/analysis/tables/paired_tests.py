"""Paired tests between methods: did one answer the same questions better than the other?

For each person the difference of the two methods' mean accuracy; the test asks whether signs could as well be
swapped person by person (a paired permutation test, two-sided; people, not questions, are the units, since the
questions about one person are not independent). The p-values of one model, forget ratio and seed are corrected
together (Benjamini and Hochberg 1995). Of n people there are 2^n ways to set the signs, so that no p-value is below
2 / 2^n: of five people none is below 0.0625, however far two methods lie apart.
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
from manu.analysis.page import Block, Fold, Page, Prose
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
    "smallest_p",
    "p_value",
    "p_adjusted",
    "significant",
    "reason",
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


def smallest_p(people: int, resamples: int = RESAMPLES) -> float:
    """The smallest p-value that `paired_p` can give for so many people: 2 / 2^people where it tries all signs, which
    for one person is 1, and 2 / (resamples + 1) otherwise."""
    return 2.0 / min(2**people, resamples + 1)


def paired_tests(answers: pd.DataFrame, methods: list[str], level: float = 0.95) -> pd.DataFrame:
    """Every pair of methods on classification, forget and retain, both modalities (COLUMNS).

    methods: in the order of the tables; a pair stands once, `method` before `other_method`. difference: accuracy
    of `method` minus that of `other_method`, a fraction, each person counting the same; smallest_p: what so few people
    allow at best; p_adjusted: corrected over all tests of a run; significant: p_adjusted < 1 - level; reason: why the
    test cannot be significant, whatever the answers, or empty.
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
                    least = smallest_p(len(differences))
                    rows.append([*keys, one, other, split, modality, differences.mean(), len(differences), least, p])
        adjusted = scipy.stats.false_discovery_control([row[-1] for row in rows[first:]]) if len(rows) > first else []
        for row, value in zip(rows[first:], adjusted, strict=True):
            row += [float(value), bool(value < 1 - level), _too_few(row[COLUMNS.index("smallest_p")], level)]
    return rounded(pd.DataFrame(rows, columns=list(COLUMNS)), ("difference", "smallest_p", "p_value", "p_adjusted"))


def _too_few(smallest: float, level: float) -> str:
    """Why a test cannot be significant; empty where it can."""
    return f"too few people: p is at least {smallest:.4g}" if smallest >= 1 - level else ""


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The two methods' answers; an adjusted p-value depends on all tests of its run."""
    if column == "p_adjusted":
        return ALL_OF_RUN.origin(row)
    if column not in ("difference", "people", "smallest_p", "p_value"):
        return None
    pair = {"method": (row["method"], row["other_method"])}
    return Origin(("answers",), ALL_OF_RUN.where(row) | same(row, "split", "modality") | pair, "correct")


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """First where no test can be significant, then the tests, model by model."""
    return [*_never(table), *(_show(part, page) for part in by_model(table).values())]


def _never(table: TableOnPage) -> Sequence[Prose]:
    """Where there are too few people for any significant test, in words; nothing where there are enough everywhere."""
    keys = ("split", "forget_ratio", "people", "smallest_p")
    cells = dict.fromkeys(tuple(row[key] for key in keys) for row in table.rows if row["reason"])
    return [
        Prose(
            f"Too few people: no test on {split} at {ratio} percent can be significant. "
            f"With {people} people the smallest possible p is {float(smallest):.4g}, however far two methods lie apart."
        )
        for split, ratio, people, smallest in cells
    ]


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
        Column("smallest p"),
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
            number(table, row, "smallest_p", keys, file, decimals(4)),
            number(table, row, "people", keys, file, str),
            name("yes" if row["significant"] == "True" else "no", row["reason"]),
        ]
        for row in ordered
    ]
    model, significant = table.rows[0]["model"], sum(row["significant"] == "True" for row in table.rows)
    grid = Grid(f"{model}: paired tests, differences in points", columns, rows, 2)
    possible = sum(not row["reason"] for row in table.rows)
    never = f"; {len(rows) - possible} more cannot be, with so few people" if possible < len(rows) else ""
    return Fold(f"{model}: {significant} of {possible} tests significant{never}", [grid])


TABLE = Table(
    title="Paired tests",
    caption="Did one method answer the same questions better than the other? Signs are swapped person by person, "
    "two-sided; the p-values of one model, forget ratio and seed are corrected together (Benjamini and "
    "Hochberg). Smallest p: what the number of people allows at best; a test that cannot be significant says so. "
    "Differences in points of accuracy; the uncorrected p-values stand in the file.",
    section="paired",
    needs=("answers",),
    keys=(*RUN, "method", "other_method", "split", "modality", "significant", "reason"),
    settings=settings,
    make=make,
    origin=origin,
    show=show,
)
