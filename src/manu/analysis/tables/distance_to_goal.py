"""How far each method is from the goal of unlearning: forget people as if never seen, asked either way, and everybody
else as before. One row per run and method, vanilla and retain_only among them.

The goal and its bounds are the project's (config/claims.yaml, `aim`); no published method claims all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from manu.analysis.cells import DECIMALS, escape, markdown_table
from manu.analysis.claims import read_claims
from manu.analysis.grid import Column, Grid, TableOnPage, decimals, interval, name, number, percent
from manu.analysis.origin import Origin, same
from manu.analysis.outcomes import ANSWER_COLUMNS, RUN, UTILITY_SPLITS, Run
from manu.analysis.page import Block, Heading, Page
from manu.analysis.page_rows import (
    ASKED,
    DOWN,
    RUN_KEYS,
    UP,
    by_model,
    first_of_block,
    in_run_order,
    link_of_run,
    run_heads,
)
from manu.analysis.reading import Inputs
from manu.analysis.resampling import POSITIVE, SHARE, absolute, ends
from manu.analysis.tables.base import Table, intervals
from manu.evaluation.vocabulary import MODALITIES, REFERENCES

FORGET = tuple(f"forget_{modality}" for modality in MODALITIES)
GAP = "modality_gap"
KEPT = tuple(f"kept_{split}" for split in UTILITY_SPLITS)


@dataclass(frozen=True)
class Behind:
    """The answers behind a value: of the method itself and of the models `against`, on a split, by modality.

    within: the lowest and the highest value that there can be.
    """

    split: str
    modalities: tuple[str, ...]
    against: tuple[str, ...] = ()
    within: tuple[float, float] = POSITIVE

    def origin(self, row: Mapping) -> Origin:
        """The answers behind this value in a row of the table."""
        methods = {"method": tuple(dict.fromkeys((row["method"], *self.against)))}
        where = {"split": (self.split,), "modality": self.modalities, "task": ("classification",)}
        return Origin(("answers",), same(row, *RUN) | methods | where, "correct")


VALUES = {
    **{f"forget_{modality}": Behind("forget", (modality,), within=SHARE) for modality in MODALITIES},
    GAP: Behind("forget", MODALITIES, REFERENCES),
    **{f"kept_{split}": Behind(split, MODALITIES, ("vanilla",)) for split in UTILITY_SPLITS},
}
COLUMNS = (
    *RUN,
    "method",
    *(f"{value}{end}" for value in VALUES for end in ("", "_ci_low", "_ci_high")),
    "meets",
    "misses",
)


@dataclass(frozen=True)
class Aim:
    """modality_gap: the largest that counts as even; kept: the least share of vanilla's accuracy (fractions)."""

    modality_gap: float
    kept: float


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """Every run and method (COLUMNS)."""
    answers = inputs.answers("answers", columns=ANSWER_COLUMNS)
    return distance_table(answers, aim_of(inputs), **settings["intervals"])


def aim_of(inputs: Inputs) -> Aim:
    """The goal's bounds in config/claims.yaml."""
    return Aim(**read_claims(inputs.document("claims_file"), str(inputs.paths("claims_file")[0]))["aim"])


def distance_table(answers: pd.DataFrame, aim: Aim, resamples: int = 999, level: float = 0.95) -> pd.DataFrame:
    """Classification accuracy on forget, the gap between the modalities' forgetting_success, and accuracy on retain
    and celebrity as shares of vanilla's (means over the modalities), each with its interval; then the aim (COLUMNS).

    answers: outcomes.ANSWER_COLUMNS, both references among the methods. `misses` names the values that miss the aim:
    accuracy on forget outside retain_only's interval, the gap above its bound, a share below its own; a value that
    is not defined or was not asked misses too. `meets` is "yes" where there are none.
    """
    rows = []
    for keys, group in answers.groupby(list(RUN), sort=True):
        run = Run(group, resamples)
        gold = {name: ends(draws, level, VALUES[name].within) for name, draws in _values(run, "retain_only").items()}
        for method in dict.fromkeys([*REFERENCES, *sorted(run.methods)]):
            row = dict(zip(RUN, keys, strict=True)) | {"method": method}
            misses = []
            for column, draws in _values(run, method).items():
                value, low, high = (round(end, DECIMALS) for end in ends(draws, level, VALUES[column].within))
                row |= {column: value, f"{column}_ci_low": low, f"{column}_ci_high": high}
                if not _meets(column, value, gold[column], aim):
                    misses.append(column)
            rows.append(row | {"meets": "no" if misses else "yes", "misses": " ".join(misses)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _values(run: Run, method: str) -> dict[str, np.ndarray]:
    """Each of VALUES of a method, for each draw of people; NaN where nothing was asked."""
    nothing = np.full(len(next(iter(run.weights.values()))), np.nan)
    found = {}
    for value, behind in VALUES.items():
        if value == GAP:
            successes = _all([run.success(method, modality) for modality in behind.modalities])
            draws = absolute(successes[0] - successes[1]) if successes else nothing
        else:
            asked = (method, *behind.against)
            means = [[run.mean(each, behind.split, modality) for modality in behind.modalities] for each in asked]
            there = [parts for parts in map(_all, means) if parts and behind.split in run.weights]
            sums = [sum(parts, np.zeros_like(parts[0])) for parts in there]
            draws = nothing if len(sums) < len(asked) else sums[0] / sums[1] if behind.against else sums[0]
        found[value] = draws
    return found


def _all(parts: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    """The parts, or none where one is missing."""
    there = [part for part in parts if part is not None]
    return there if len(there) == len(parts) else []


def _meets(name: str, value: float, gold: tuple[float, float, float], aim: Aim) -> bool:
    if name in FORGET:
        _, low, high = (round(end, DECIMALS) for end in gold)
        return low <= value <= high
    return value <= aim.modality_gap if name == GAP else value >= aim.kept


def markdown(table: pd.DataFrame, inputs: Inputs, settings: Mapping) -> str:
    """The table for reading, model by model: accuracies and shares in percent, each with its interval."""
    return markdown_text(table, aim_of(inputs))


def markdown_text(table: pd.DataFrame, aim: Aim) -> str:
    """`markdown`, with the bounds."""
    text = (
        "# Distance to goal: how far each method is from what unlearning is for\n\n"
        "forget: classification accuracy on the forget people, percent; the goal is the interval of retain\\_only. "
        f"gap: between the two modalities' forgetting success, at most {aim.modality_gap:g}. kept: accuracy as a share "
        f"of vanilla's, percent, at least {100 * aim.kept:g}. In brackets intervals over people.\n"
    )
    for model, part in table.groupby("model", sort=False):
        columns = {
            **{name: part[name].map(escape) for name in ("forget_ratio", "seed", "method")},
            **{name: [_shown(row, name) for _, row in part.iterrows()] for name in VALUES},
            **{name: part[name].map(escape) for name in ("meets", "misses")},
        }
        titled = {name.replace("_", " "): cells for name, cells in columns.items()}
        text += f"\n## {escape(model)}\n\n{markdown_table(titled, ('method', 'meets', 'misses'))}\n"
    return text


def _shown(row: Mapping, name: str) -> str:
    """A value with its interval; a dash where there is none."""
    scale, places = (1, 2) if name == GAP else (100, 1)
    value, low, high = (f"{scale * row[f'{name}{end}']:.{places}f}" for end in ("", "_ci_low", "_ci_high"))
    return f"{value} [{low}, {high}]" if np.isfinite(row[name]) else "\N{EN DASH}"


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The answers of the method and of the models that it is measured against."""
    return VALUES[column.removesuffix("_ci_low").removesuffix("_ci_high")].origin(row)


_MISSES = {  # in words
    **{f"forget_{modality}": f"forget by {ASKED[modality]}" for modality in MODALITIES},
    GAP: "gap",
    **{kept: kept.removeprefix("kept_") for kept in KEPT},
}


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """Model by model."""
    parts = by_model(table).items()
    return [block for model, part in parts for block in (Heading(model), _grid(part, page))]


def _grid(table: TableOnPage, page: Page) -> Grid:
    """A row per run and method; the last column names what misses the goal."""
    runs = in_run_order(table.rows, page)
    shown = {
        **{f"forget_{m}": (Column(ASKED[m], f"forget{DOWN}", m), percent) for m in MODALITIES},
        GAP: (Column("of successes", f"gap{DOWN}"), decimals(2)),
        **{kept: (Column(kept.removeprefix("kept_"), f"kept of vanilla{UP}"), percent) for kept in KEPT},
    }
    heads, start = run_heads(table.rows)
    columns = [*heads, *(column for column, _ in shown.values()), Column("meets the goal", words=True)]
    file, rows = page.chains.file(table.path), []
    for row in runs:
        link, cells = link_of_run(row, page, file), []
        for value, (_, form) in shown.items():
            limits = {end: row[f"{value}_{end}"] for end in ("ci_low", "ci_high")}
            cells.append(number(table, row, value, RUN_KEYS, link, form, interval(limits, form)))
        misses = ", ".join(_MISSES[value] for value in row["misses"].split())
        rows.append([*start(row), *cells, name(row["meets"], f"misses {misses}" if misses else "")])
    return Grid(f"{table.rows[0]['model']}: distance to goal", columns, rows, 2, first_of_block(runs, "forget_ratio"))


TABLE = Table(
    title="Distance to goal",
    caption="How far each method is from what unlearning is for, whatever was claimed: accuracy on forget within "
    "the interval of retain_only, with the picture and in plain text; almost no gap between the two "
    "modalities' forgetting success; almost all of vanilla's accuracy on retain and on the public "
    "figures. The bounds are in config/claims.yaml. In brackets the interval over people; accuracies in "
    "percent.",
    section="distance-to-goal",
    needs=("answers", "claims_file"),
    keys=(*RUN, "method", "meets", "misses"),
    settings=intervals,
    make=make,
    origin=origin,
    markdown=markdown,
    show=show,
)
