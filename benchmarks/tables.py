"""Write the tables of a benchmark as CSV and Markdown, and `run.json` with the machine and the sizes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from manu.analysis.figures.style import save
from manu.core.files import atomic_path, write_text
from manu.provenance import machine


@dataclass(frozen=True)
class Table:
    """name: of the files. caption: what a row is and how it was measured. figure: of the table, if there is one."""

    name: str
    caption: str
    frame: pd.DataFrame
    figure: Figure | None = None


def write_answer(folder: Path, question: str, tables: Sequence[Table], sizes: dict, seconds: float) -> None:
    """Replace `folder` by the tables of one question.

    question: in words. sizes: of the measurement (benchmarks.sizes). seconds: that the benchmark took.
    """
    about = {
        "question": question,
        "sizes": sizes,
        "seconds": round(seconds, 1),
        "repository": machine.repository(),
        "device": machine.device(),
        "packages": machine.package_versions(),
    }
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for table in tables:
            table.frame.to_csv(temporary / f"{table.name}.csv", index=False, float_format="%.6g", lineterminator="\n")
            write_text(temporary / f"{table.name}.md", markdown(table))
            if table.figure:
                png, svg, csv = (temporary / f"{table.name}{end}" for end in (".png", ".svg", "_drawn.csv"))
                save(table.figure, table.frame, png, svg, csv)
        write_text(temporary / "run.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def markdown(table: Table) -> str:
    """The caption and the table in Markdown. Numbers have three significant digits; a NaN is an empty cell."""
    numeric = [pd.api.types.is_numeric_dtype(table.frame[column]) for column in table.frame]
    lines = [
        f"| {' | '.join(table.frame.columns)} |",
        f"| {' | '.join('---:' if number else '---' for number in numeric)} |",
        *(f"| {' | '.join(map(_cell, row))} |" for row in table.frame.itertuples(index=False)),
    ]
    return "\n".join([table.caption, "", *lines]) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value).replace("|", "\\|").replace("\n", " ")
