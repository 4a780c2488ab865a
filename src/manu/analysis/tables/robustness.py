"""What attacks still get out of each model at one forget ratio, and how far each attack is resisted."""

from collections.abc import Mapping, Sequence

import pandas as pd

from manu.analysis import attacks
from manu.analysis.attacks import (
    ALL,
    ANSWER_COLUMNS,
    ATTACKED,
    ATTACKS,
    BEFORE,
    BOTH,
    COLUMNS,
    FACTS,
    LEAKAGE,
    NONE,
    PROBED,
    SIGNAL_COLUMNS,
    STORED_COLUMNS,
    TOLD_APART,
)
from manu.analysis.grid import Column, Grid, TableOnPage, interval
from manu.analysis.origin import From, Origin
from manu.analysis.page import Block, Fold, Heading, Page, Prose, Terms
from manu.analysis.page_rows import ASKED, BRACKETS, DOWN, UP, Row, by_model_and_seed, grid_of_methods
from manu.analysis.reading import Inputs
from manu.analysis.tables.base import Table, intervals

NUMBERS = ("value", "n", "ci_low", "ci_high")
TEXTS = {  # in short; docs/robustness.md says more
    "rounding": "all linear weights rounded to few bits, per output channel; forget and retain people asked again",
    "wording": "the questions of the Test set, in words that the person was never taught in",
    "portrait": "the forget set's questions with the Test set's portrait, or with noise, blurred or in grey",
    LEAKAGE: "nothing new is asked: the share of the facts lost in one modality that the other still answers",
    "relearning": "ordinary training on lessons of some forget people, or of retain people only; the other forget "
    "people, of whom nothing is taught, are asked after each number of steps",
    "probe": "a linear probe on the last layer's state, trained on retain people, chooses among the options",
    "membership": "answers about forget people against those about people whom no model was taught; the area under "
    "the curve (AUC) of each score, 50 percent of which is a guess",
}
_KEYS = ("model", "seed", "method", "attack", "condition", "split", "modality")
_GOT = (
    "In percent: accuracy on forget people (on retain people where it says retain); of leakage the share "
    "of lost facts, of membership the AUC. The intervals over people stand in the file."
)


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """What each attack gets, and the scores of resistance (manu.analysis.attacks.COLUMNS)."""
    columns = {"attacked_before": STORED_COLUMNS, "attacks": ANSWER_COLUMNS, "signals": SIGNAL_COLUMNS}
    stored, answers, signals = (inputs.answers(source, columns=names) for source, names in columns.items())
    return attacks.robustness_table(stored, answers, signals, **settings["intervals"])


def origin(row: Mapping[str, str], column: str) -> Origin:
    """The study's own answers, those under attack, or the signals; of a score all of its attack."""
    of = {NONE: BEFORE, LEAKAGE: FACTS, "probe": PROBED, "membership": TOLD_APART}.get(row["attack"], ATTACKED)
    if row["attack"] == ALL:
        of = From(TABLE.needs, attacks.KEYS, "correct", {"split": ("forget", "unseen")})
    elif row["condition"] == ALL:  # of every condition and modality
        of = From(of.sources, [key for key in of.keys if key not in ("condition", "modality")], of.value, of.fixed)
    found = of.origin(row)
    methods = (row["method"], *(["vanilla"] if row["attack"] in (ALL, LEAKAGE) else []))  # what vanilla knows counts
    return Origin(found.sources, found.where | {"method": tuple(dict.fromkeys(methods))}, found.column)


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """The attacks in words; then per model how far each is resisted, and what each gets."""
    there = {row["attack"] for row in table.rows}
    terms = Terms([(attack, text) for attack, text in TEXTS.items() if attack in there])
    blocks: list[Block] = [Fold("The attacks", [terms])]
    for model, (over_seeds, by_seed) in by_model_and_seed(table).items():
        resistance, got = _grids(over_seeds, page)
        blocks += [Heading(model), Heading("Resistance", 4), Prose(BRACKETS[bool(by_seed)], True), resistance]
        blocks += [Heading("What each attack gets", 4), Prose(_GOT, True), got]
        blocks += [Fold("Seed by seed", _grids(by_seed, page))] if by_seed else []
    return blocks


def _grids(table: TableOnPage, page: Page) -> list[Grid]:
    """One model: how far each attack is resisted, and what each one gets."""
    conditions = list(dict.fromkeys((row["condition"], row["split"]) for row in table.rows))

    def place(row: Row) -> tuple:
        condition = conditions.index((row["condition"], row["split"]))
        return (NONE, ALL, *ATTACKS).index(row["attack"]), condition, list(ASKED).index(row["modality"])

    ordered = sorted(table.rows, key=place)
    scores = TableOnPage(table.path, [row for row in ordered if row["modality"] == BOTH])
    measured = TableOnPage(table.path, [row for row in ordered if row["modality"] != BOTH])
    about = f"{ordered[0]['model']}, forget ratio {ordered[0]['forget_ratio']} percent"
    return [
        grid_of_methods(f"resistance: {about}", scores, _score_column, _KEYS, page, interval),
        grid_of_methods(f"what attacks get, in percent: {about}", measured, _measure_column, _KEYS, page),
    ]


def _score_column(row: Row) -> Column:
    head = "robustness" if row["attack"] == ALL else row["attack"]
    return Column(f"{head}{UP}", "mean of all" if row["attack"] == ALL else "resistance")


def _measure_column(row: Row) -> Column:
    arrow = "" if row["metric"] == "auc" else UP if row["split"] == "retain" else DOWN
    words = ["before any attack"] if row["attack"] == NONE else [row["attack"], row["condition"]]
    words += ["AUC"] if row["metric"] == "auc" else ["retain"] if row["split"] == "retain" else []
    return Column(ASKED[row["modality"]], f"{', '.join(words)}{arrow}", row["modality"])


TABLE = Table(
    title="Robustness",
    caption="What attacks still get out of each model at one forget ratio. The resistance to an attack is 1 less "
    "the mean of what it gets of the forget people (of relearning after the most steps, of "
    "membership how far the AUC is from a guess), and robustness is the mean over the attacks. Read both "
    "beside those of retain_only, which never saw these people: an attack gets guesses from it (one "
    "answer in four is right), not knowledge.",
    section="robustness",
    needs=("attacked_before", "attacks", "signals"),
    keys=tuple(column for column in COLUMNS if column not in NUMBERS),
    settings=intervals,
    make=make,
    origin=origin,
    show=show,
    target="robustness",
)
