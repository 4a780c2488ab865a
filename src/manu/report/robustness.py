"""What attacks get out of the unlearned models, and what is left of several requests in turn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from manu.analysis.cells import row_order
from manu.analysis.grid import EMPTY, Cell, Column, Grid, TableOnPage, decimals, interval, name, number, percent, spread
from manu.analysis.page_rows import ASKED, DOWN, UP, by_model, first_of_block, mean_over_seeds, several, signed
from manu.analysis.robustness import ALL, ATTACKS, BOTH, LEAKAGE, NONE
from manu.evaluation.vocabulary import MODALITIES
from manu.report.chains import Chains

ATTACK_TEXTS = {  # in short; docs/robustness.md says more
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
_REQUEST_KEYS = ("model", "seed", "method", "order", "after", "group", "modality", "metric")
_GROUPS = {"requested": DOWN, "retain": UP}
_DIFFERENCE = "difference"
_HEADS = ("in turn", "at once", _DIFFERENCE)
_ASKED = (*MODALITIES, BOTH)
_FORMS = {  # of a metric that is no percentage
    "resistance": decimals(2),
    "robustness": decimals(2),
    _DIFFERENCE: lambda text: signed(float(text)),
}
Row = Mapping[str, str]
Form = Callable[[str], str]


@dataclass(frozen=True)
class Part:
    """One model's grids: over the seeds, and seed by seed where there are several."""

    model: str
    over_seeds: Sequence[Grid]
    by_seed: Sequence[Grid]


def attacks_shown(table: TableOnPage) -> list[tuple[str, str]]:
    """(attack, what is done) of those in the table."""
    there = {row["attack"] for row in table.rows}
    return [(attack, text) for attack, text in ATTACK_TEXTS.items() if attack in there]


def robustness_parts(table: TableOnPage | None, methods: Sequence[str], chains: Chains) -> list[Part]:
    """Per model how far each attack is resisted, and what each one gets; nothing of no table."""

    def grids(part: TableOnPage) -> list[Grid]:
        conditions = list(dict.fromkeys((row["condition"], row["split"]) for row in part.rows))

        def place(row: Row) -> tuple:
            condition = conditions.index((row["condition"], row["split"]))
            return (NONE, ALL, *ATTACKS).index(row["attack"]), condition, _ASKED.index(row["modality"])

        ordered = sorted(part.rows, key=place)
        scores = TableOnPage(part.path, [row for row in ordered if row["modality"] == BOTH])
        measured = TableOnPage(part.path, [row for row in ordered if row["modality"] != BOTH])
        about = f"{ordered[0]['model']}, {ordered[0]['forget_ratio']} percent of the people to be forgotten"
        return [
            _grid(f"resistance: {about}", scores, _score_column, methods, _KEYS, chains, interval),
            _grid(f"what attacks get, in percent: {about}", measured, _measure_column, methods, _KEYS, chains),
        ]

    return _parts(table, grids)


def sequential_parts(table: TableOnPage | None, methods: Sequence[str], chains: Chains) -> list[Part]:
    """Per model the accuracy after the last of several requests, made in turn or at once; nothing of no table."""

    def place(row: Row) -> tuple:  # of the rows of one column the last request's comes last, and stands
        group, head = list(_GROUPS).index(row["group"]), _HEADS.index(_request_head(row))
        return group, _ASKED.index(row["modality"]), head, float(row["after"])

    def grids(part: TableOnPage) -> list[Grid]:
        rows = sorted((row for row in part.rows if row["group"] in _GROUPS), key=place)
        label = f"{part.rows[0]['model']}: after the last request, in percent"
        return [_grid(label, TableOnPage(part.path, rows), _request_column, methods, _REQUEST_KEYS, chains, interval)]

    return _parts(table, grids)


def _parts(table: TableOnPage | None, grids: Callable[[TableOnPage], list[Grid]]) -> list[Part]:
    return [
        Part(model, grids(mean_over_seeds(part)), grids(part) if several(part.rows, "seed") else [])
        for model, part in by_model(table).items()
    ]


def _score_column(row: Row) -> Column:
    head = "robustness" if row["attack"] == ALL else row["attack"]
    return Column(f"{head}{UP}", "mean of all" if row["attack"] == ALL else "resistance")


def _measure_column(row: Row) -> Column:
    arrow = "" if row["metric"] == "auc" else UP if row["split"] == "retain" else DOWN
    words = ["before any attack"] if row["attack"] == NONE else [row["attack"], row["condition"]]
    words += ["AUC"] if row["metric"] == "auc" else ["retain"] if row["split"] == "retain" else []
    return Column(ASKED[row["modality"]], f"{', '.join(words)}{arrow}", row["modality"])


def _request_head(row: Row) -> str:
    return _DIFFERENCE if row["metric"] == _DIFFERENCE else row["order"]


def _request_column(row: Row) -> Column:
    group = f"{row['group']}, {ASKED[row['modality']]}{_GROUPS[row['group']]}"
    return Column(_request_head(row), group, row["modality"])


def _grid(
    label: str,
    table: TableOnPage,
    column_of: Callable[[Row], Column],
    methods: Sequence[str],
    keys: Sequence[str],
    chains: Chains,
    ends: Callable[[Row, Form], str] = lambda row, form: "",
) -> Grid:
    """A row per seed and method, a column for each that the rows have, in their order.

    ends: the text of a row's interval. A number links to its run; where the rows have no forget ratio, to its file.
    """
    columns = list(dict.fromkeys(map(column_of, table.rows)))
    cells = {(row["seed"], row["method"], column_of(row)): row for row in table.rows}
    runs = {(row["seed"], row["method"]): row for row in table.rows}
    several_seeds, file = several(table.rows, "seed"), chains.file(table.path)
    order, shown = row_order(list(methods)), []

    def cell(row: Row | None, link: str) -> Cell:
        if row is None:
            return Cell(EMPTY, look="number")
        form = _FORMS.get(row["metric"], percent)
        small = f"{spread(row, 'value_sd', form)} {ends(row, form)}".strip()
        return number(table, row, "value", keys, link, form, small)

    ordered = sorted(runs.values(), key=lambda row: (row["seed"], order.index(row["method"])))
    for run in ordered:
        ratio, seed = run.get("forget_ratio", ""), run["seed"]
        link = chains.run(run["model"], run["method"], ratio, seed or None, otherwise=file)
        shown.append(
            [
                name(run["method"]),
                *([Cell(seed, look="number")] if several_seeds else []),
                *(cell(cells.get((seed, run["method"], column)), link) for column in columns),
            ]
        )
    heads = [Column("method", words=True), *([Column("seed")] if several_seeds else [])]
    return Grid(label, [*heads, *columns], shown, 1, first_of_block(ordered, "seed"))
