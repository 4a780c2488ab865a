"""What pruning does: the ablation's variants, random neurons, and what the pruned neurons did before they went."""

from collections.abc import Callable, Mapping

from manu.analysis.ablation import SELECTIVITY
from manu.analysis.anatomy import SILENT
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
    name,
    number,
    percent,
)
from manu.analysis.page_rows import ASKED, UP, run_of, several, signed
from manu.report.chains import Chains


def ablation_grid(table: TableOnPage, arrows: Mapping[str, str], chains: Chains) -> Grid:
    """One model's ablation, a row per variant: accuracy on forget and retain, and the difference, with intervals."""
    cells = {(*run_of(row), row["split"], row["modality"]): row for row in table.rows}
    splits = list(dict.fromkeys(row["split"] for row in table.rows))
    there = {row["modality"] for row in table.rows}
    ends = arrows | {SELECTIVITY: UP}
    splits.sort(key=lambda split: split == SELECTIVITY)
    shown = [(split, modality) for split in splits for modality in MODALITY_COLOURS if modality in there]
    seeds = several(table.rows, "seed")
    columns = [
        Column("variant", words=True),
        Column("pruned"),
        *([Column("seed")] if seeds else []),
        *(Column(ASKED[modality], f"{split}{ends.get(split, '')}", modality) for split, modality in shown),
    ]
    rows = []
    for run in {run_of(row): row for row in table.rows}.values():
        link = chains.file(table.path)  # one job asks all variants
        cell = [name(run["method"]), Cell(f"{run['prune_ratio']} %", look="number")]
        if seeds:
            cell.append(Cell(run["seed"], look="number"))
        keys = ("method", "seed", "forget_ratio", "split", "modality")
        for split, modality in shown:
            row = cells.get((*run_of(run), split, modality))
            small = interval(row, percent) if row else ""
            cell.append(number(table, row, "accuracy", keys, link, small=small) if row else Cell(EMPTY, look="number"))
        rows.append(cell)
    ratio = table.rows[0]["forget_ratio"]
    label = f"{table.rows[0]['model']}: variants, {ratio} percent of the people to be forgotten"
    return Grid(label, columns, rows, 1)


def capacity_grid(table: TableOnPage, chains: Chains) -> Grid:
    """One model's capacity, a row per kind of question, a column per share of random neurons pruned."""
    shares = sorted({row["prune_ratio"] for row in table.rows}, key=float)
    keys = ("seed", "forget_ratio", "split", "modality", "task")
    cells = {(tuple(row[key] for key in keys), row["prune_ratio"]): row for row in table.rows}
    seeds, rows, file = several(table.rows, "seed"), [], chains.file(table.path)
    for where in dict.fromkeys(key for key, _ in cells):
        seed, _, split, modality, task = where
        cell = [name(split), name(ASKED[modality]), name(task), *([Cell(seed, look="number")] if seeds else [])]
        for share in shares:
            row = cells.get((where, share))
            if row is None:
                cell.append(Cell(EMPTY, look="number"))
                continue
            link = chains.run(row["model"], row["method"], row["forget_ratio"], seed, otherwise=file)
            lost = "" if float(share) == 0 or is_empty(row["cost"]) else f"({signed(-float(row['cost']))})"
            cell.append(number(table, row, "accuracy", (*keys, "method"), link, small=lost))
        rows.append(cell)
    columns = [
        Column("questions", words=True),
        Column("asked", words=True),
        Column("task", words=True),
        *([Column("seed")] if seeds else []),
        *(Column("nothing pruned" if float(share) == 0 else f"{share} % pruned") for share in shares),
    ]
    label = f"{table.rows[0]['model']}: accuracy in percent without random neurons (points gained or lost)"
    return Grid(label, columns, rows, 1)


def anatomy_grid(table: TableOnPage, part: str, chains: Chains) -> Grid:
    """Pruned and kept neurons of one part beside each other, all models and runs."""
    chosen = [row for row in table.rows if row["part"] == part]
    keys, link = ("model", "method", "forget_ratio", "seed", "part", "group"), chains.file(table.path)
    seeds, three = several(chosen, "seed"), decimals(3)
    numbers = [
        ("neurons", Column("neurons"), str),
        ("magnitude_forget", Column("forget", "magnitude, median"), three),
        ("magnitude_retain", Column("retain", "magnitude, median"), three),
        ("forget_over_retain", Column("forget / retain", "magnitude, median"), decimals(2)),
        ("firing_forget", Column("forget", "fires, % of samples"), percent),
        ("firing_retain", Column("retain", "fires, % of samples"), percent),
        ("silent_on_retain", Column("retain", "silent, % of neurons"), percent),
        ("silent_on_both", Column("both", "silent, % of neurons"), percent),
    ]
    rows = [
        [
            name(row["group"]),
            name(row["model"]),
            name(row["method"]),
            Cell(f"{row['forget_ratio']} %", look="number"),
            *([Cell(row["seed"], look="number")] if seeds else []),
            *(number(table, row, column, keys, link, form) for column, _, form in numbers),
        ]
        for row in chosen
    ]
    columns = [
        Column("group", words=True),
        Column("model", words=True),
        Column("method", words=True),
        Column("forget"),
        *([Column("seed")] if seeds else []),
        *(column for _, column, _ in numbers),
    ]
    starts = frozenset(i for i in range(1, len(chosen)) if run_of(chosen[i]) != run_of(chosen[i - 1]))
    return Grid(f"pruned and kept neurons, {part}", columns, rows, 1, starts)


def anatomy_sentence(table: TableOnPage) -> str:
    """Pruned beside kept neurons in words, over all runs of the table; empty when a group is not there."""

    def span(group: str, column: str, form: Callable[[str], str]) -> str:
        rows = [row for row in table.rows if row["part"] == "all" and row["group"] == group]
        values = sorted((row[column] for row in rows if not is_empty(row[column])), key=float)
        return " to ".join(dict.fromkeys(map(form, (values[0], values[-1])))) if values else ""

    two, parts = decimals(2), []
    for group in ("pruned", "kept"):
        ratio, silent = span(group, "forget_over_retain", two), span(group, "silent_on_retain", percent)
        if not ratio or not silent:
            return ""
        parts.append(f"{group} neurons {ratio}, and {silent}\N{NO-BREAK SPACE}% of them are silent on those to be kept")
    silent = f"fire on less than {100 * SILENT:g}\N{NO-BREAK SPACE}% of the samples"
    return f"Over all runs the median ratio is: {'; '.join(parts)} ({silent})."
