"""The methods beside each other: the main table, the outcomes, the paired tests, and the published numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence

from manu.analysis import standing
from manu.analysis.cells import row_order
from manu.analysis.comparison import DIFFERS, MATCHED, NOT_COMPARABLE, NOT_RUN, WITHIN
from manu.analysis.figures.style import MODALITY_COLOURS
from manu.analysis.grid import (
    EMPTY,
    Cell,
    Column,
    Grid,
    TableOnPage,
    decimals,
    interval,
    is_empty,
    minus,
    name,
    number,
    percent,
    spread,
    words,
)
from manu.analysis.outcomes import BOTH
from manu.analysis.page_rows import ASKED, DOWN, RUN_KEYS, UP, first_of_block, run_heads, run_of, signed
from manu.analysis.tables.main import GENERAL, MEASURES, PEOPLE_SPLITS
from manu.report.chains import Chains

OUTCOMES_SHOWN = {  # metric -> (head, modalities)
    "forgetting_success": ("forgetting success", ("multimodal", "text", BOTH)),
    "balanced_forgetting": ("balanced forgetting", (BOTH,)),
    "retention": ("retention", (BOTH,)),
    "forget_quality": ("forget quality", (BOTH,)),
    "model_utility": ("model utility", (BOTH,)),
}
_MISSES = {  # what misses the aim, in words
    **{f"forget_{modality}": f"forget by {ASKED[modality]}" for modality in MODALITY_COLOURS},
    standing.GAP: "gap",
    **{kept: kept.removeprefix("kept_") for kept in standing.KEPT},
}
STATUSES = {
    MATCHED: "equal to ours within the tolerance",
    WITHIN: "the published value lies in our interval over people",
    DIFFERS: "the published value lies outside our interval",
    NOT_COMPARABLE: "ours come from models that are not the published ones",
    NOT_RUN: "this study has no such cell; the reason says why",
}


def main_grids(table: TableOnPage, arrows: Mapping[str, str], chains: Chains) -> list[tuple[str, Grid]]:
    """(measure, grid) of one model's main table: by split, asked with the picture, in plain text, and the mean."""
    grids = []
    for measure, (_, _, heading) in MEASURES.items():
        shown = [
            (f"{split}_{measure}{suffix}", Column(head, f"{split}{arrows.get(split, '')}", look))
            for split in PEOPLE_SPLITS
            for suffix, head, look in (*((f"_{m}", ASKED[m], m) for m in MODALITY_COLOURS), ("", "mean", ""))
        ]
        if measure == "classification":
            shown.append((GENERAL, Column("all", f"general{arrows.get('general', '')}")))
        shown = [(column, head) for column, head in shown if any(not is_empty(row.get(column)) for row in table.rows)]
        if not shown:
            continue
        rows = []
        for row in table.rows:
            link = chains.run(row["model"], row["method"], row["forget_ratio"], otherwise=chains.file(table.path))
            keys = ("method", "forget_ratio")
            cells = [
                number(table, row, column, keys, link, small=spread(row, f"{column}_sd", percent))
                for column, _ in shown
            ]
            rows.append([Cell(f"{row['forget_ratio']} %", look="number"), name(row["method"]), *cells])
        columns = [Column("forget"), Column("method", words=True), *(head for _, head in shown)]
        label = f"{table.rows[0]['model']}: {heading}, percent"
        grids.append((heading, Grid(label, columns, rows, 2, first_of_block(table.rows, "forget_ratio"))))
    return grids


def outcomes_over_seeds(table: TableOnPage | None) -> TableOnPage | None:
    """The outcomes in seeds.csv, their runs without a seed, if some have several; else None."""
    rows = [row | {"seed": ""} for row in (table.rows if table else ()) if not row["task"]]
    return TableOnPage(table.path, rows) if any(int(row["seeds"]) > 1 for row in rows) else None


def outcome_grid(table: TableOnPage, methods: Sequence[str], chains: Chains, value: str = "value") -> Grid:
    """One model's outcomes, a row per run and method; each `value` with its spread, if it has one, and its interval."""
    better = {row["metric"]: row["higher_is_better"] == "True" for row in table.rows}
    cells = {(*run_of(row), row["metric"], row["modality"]): row for row in table.rows}
    there = {(metric, modality) for *_, metric, modality in cells}
    wanted = [(metric, head, asked) for metric, (head, modalities) in OUTCOMES_SHOWN.items() for asked in modalities]
    shown = [(metric, head, asked) for metric, head, asked in wanted if (metric, asked) in there]
    order = row_order(list(methods))
    runs = sorted(
        {run_of(row): row for row in table.rows}.values(),
        key=lambda row: (int(row["forget_ratio"]), int(row["seed"] or 0), _place(order, row["method"])),
    )
    heads, start = run_heads(table.rows)
    columns = [*heads, *(_outcome_column(m, head, modality, better[m]) for m, head, modality in shown)]
    rows, file = [], chains.file(table.path)
    keys, form = (*RUN_KEYS, "metric", "split", "modality"), decimals(2)
    for run in runs:
        link = chains.run(run["model"], run["method"], run["forget_ratio"], run["seed"] or None, otherwise=file)
        found = [cells.get((*run_of(run), metric, modality)) for metric, _, modality in shown]
        rows.append(
            [
                *start(run),
                *(
                    number(
                        table, row, value, keys, link, form, f"{spread(row, 'sd', form)} {interval(row, form)}".strip()
                    )
                    if row
                    else Cell(EMPTY, look="number")
                    for row in found
                ),
            ]
        )
    return Grid(f"{table.rows[0]['model']}: outcomes", columns, rows, 2, first_of_block(runs, "forget_ratio"))


def _outcome_column(metric: str, head: str, modality: str, higher: bool) -> Column:
    asked = ASKED[modality] if len(OUTCOMES_SHOWN[metric][1]) > 1 else "over both"
    return Column(asked, f"{head}{UP if higher else DOWN}", modality if modality in MODALITY_COLOURS else "")


def _place(order: Sequence[str], method: str) -> int:
    return order.index(method) if method in order else len(order)


def standing_grid(table: TableOnPage, methods: Sequence[str], chains: Chains) -> Grid:
    """One model's standing, a row per run and method; what misses the aim is named in the last column."""
    order = row_order(list(methods))
    runs = sorted(
        table.rows,
        key=lambda row: (int(row["forget_ratio"]), int(row["seed"]), _place(order, row["method"])),
    )
    shown = {
        **{f"forget_{m}": (Column(ASKED[m], f"forget{DOWN}", m), percent) for m in MODALITY_COLOURS},
        standing.GAP: (Column("of successes", f"gap{DOWN}"), decimals(2)),
        **{name: (Column(name.removeprefix("kept_"), f"kept of vanilla{UP}"), percent) for name in standing.KEPT},
    }
    heads, start = run_heads(table.rows)
    columns = [*heads, *(column for column, _ in shown.values()), Column("meets the aim", words=True)]
    file, rows = chains.file(table.path), []
    for row in runs:
        link = chains.run(row["model"], row["method"], row["forget_ratio"], row["seed"], otherwise=file)
        cells = []
        for value, (_, form) in shown.items():
            ends = {end: row[f"{value}_{end}"] for end in ("ci_low", "ci_high")}
            cells.append(number(table, row, value, RUN_KEYS, link, form, interval(ends, form)))
        misses = [_MISSES[each] for each in row["misses"].split()]
        rows.append([*start(row), *cells, name(row["meets"], f"misses {', '.join(misses)}" if misses else "")])
    return Grid(f"{table.rows[0]['model']}: standing", columns, rows, 2, first_of_block(runs, "forget_ratio"))


def paired_grid(table: TableOnPage, chains: Chains) -> Grid:
    """One model's paired tests, the significant ones first, then by p-value."""
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
    keys, link = (*RUN_KEYS, "other_method", "split", "modality"), chains.file(table.path)

    def run(row: Mapping[str, str], key: str) -> str:
        return chains.run(row["model"], row[key], row["forget_ratio"], row["seed"], otherwise=link)

    rows = []
    for row in ordered:
        first = start(row)
        first[1] = name(row["method"], link=run(row, "method"))
        rows.append(
            [
                *first,
                name(row["other_method"], link=run(row, "other_method")),
                name(row["split"]),
                name(ASKED.get(row["modality"], row["modality"])),
                number(table, row, "difference", keys, link, lambda text: signed(float(text))),
                number(table, row, "p_adjusted", keys, link, decimals(4)),
                number(table, row, "people", keys, link, str),
                name("yes" if row["significant"] == "True" else "no"),
            ]
        )
    return Grid(f"{table.rows[0]['model']}: paired tests, differences in points", columns, rows, 2)


def count_significant(table: TableOnPage) -> int:
    """How many of a table's tests are significant."""
    return sum(row["significant"] == "True" for row in table.rows)


def status_counts(table: TableOnPage) -> list[tuple[str, int, str]]:
    """(status, how many published numbers, what it means), the nearest first."""
    counts = Counter(row["status"] for row in table.rows)
    order = [*STATUSES, *sorted(set(counts) - set(STATUSES))]
    return [(status, counts[status], STATUSES.get(status, "")) for status in order if counts[status]]


def comparison_grid(table: TableOnPage, chains: Chains) -> Grid:
    """Every published number with the cell that answers to it; those with one of ours beside them first."""
    order = {status: place for place, (status, _, _) in enumerate(status_counts(table))}
    columns = [
        Column("method", words=True),
        Column("status", words=True),
        Column("published"),
        Column("ours, interval"),
        Column("difference"),
        Column("measure", words=True),
        Column("model", words=True),
        Column("forget"),
        Column("questions", words=True),
        Column("asked", words=True),
        Column("reason", words=True),
        Column("published in", words=True),
    ]
    keys = ("model", "forget_ratio", "method", "split", "modality", "task", "metric", "value")
    file, form, rows = chains.file(table.path), decimals(2), []
    for row in sorted(table.rows, key=lambda row: order[row["status"]]):
        ours = {"ci_low": row["our_ci_low"], "ci_high": row["our_ci_high"]}
        link = chains.run(row["our_model"], row["our_method"], row["our_forget_ratio"], otherwise=file)
        rows.append(
            [
                name(row["method"]),
                name(row["status"]),
                number(table, row, "value", keys, file, minus),
                number(table, row, "our_value", keys, link, form, interval(ours, form)),
                number(table, row, "difference", keys, link, form),
                name(f"{row['metric']} ({row['task']})"),
                name(row["model"]),
                Cell(row["forget_ratio"].replace("%", " %"), look="number"),
                name(row["split"]),
                name(ASKED.get(row["modality"], row["modality"])),
                words(row["reason"]),
                words(f"{row['source_paper']}: {row['reported_in']}"),
            ]
        )
    return Grid("published numbers beside ours", columns, rows, 1)
