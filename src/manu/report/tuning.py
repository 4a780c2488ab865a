"""How the methods' open settings were chosen: every trial of one model, its parts and its score."""

from manu.analysis.figures.style import MODALITY_COLOURS
from manu.analysis.grid import Column, Grid, TableOnPage, name, number
from manu.analysis.page_rows import ASKED, DOWN, UP, first_of_block
from manu.analysis.tuning import CHOSEN, PARTS
from manu.report.chains import Chains


def tuning_grid(table: TableOnPage, chains: Chains) -> Grid:
    """One model's trials, a row for each, the chosen one of each method marked."""
    link, keys = chains.file(table.path), ("model", "method", "trial")
    arrows = {"forget": DOWN, "retain": UP, "celebrity": UP}
    columns = [Column("method", words=True), Column("settings tried", words=True)]
    for part in PARTS:
        split, modality = part.split("_")
        columns.append(
            Column(ASKED[modality], f"{split}{arrows[split]}", modality if modality in MODALITY_COLOURS else "")
        )
    columns += [Column(f"score{UP}"), Column("choice", words=True)]
    rows = [
        [
            name(row["method"]),
            name(row["settings"]),
            *(number(table, row, column, keys, link) for column in (*PARTS, "score")),
            name("chosen" if row["chosen"] == CHOSEN else ""),
        ]
        for row in table.rows
    ]
    return Grid(f"{table.rows[0]['model']}: trials", columns, rows, 1, first_of_block(table.rows, "method"))
