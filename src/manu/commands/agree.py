"""The command `manu agree`: a finished run beside the released one of the same study."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.agreement import RELEASED, compare_runs, seeds_of, told
from manu.analysis.cells import csv_text
from manu.analysis.figures.style import FAINT, INK, drawn, heading, legend_below, method_mark, panel_grid, save
from manu.core.errors import UserError
from manu.core.files import write_text
from manu.study.model import Study


def agree(study: Study, released: Path | None, strict: bool, as_json: bool) -> tuple[str, int]:
    """What the terminal shows, and the exit code: 1 if `strict` and anything differs beyond the spread of seeds.

    Writes results/agreement/<study>/. Raises UserError where there is nothing to compare with.
    """
    run, other = Path(f"results/{study.name}"), released or RELEASED / study.name
    if not other.is_dir():
        known = ", ".join(sorted(file.parent.name for file in RELEASED.glob("*/scores.csv")))
        raise UserError(f"there is no {other}; released are: {known}; another run: --with <its folder>")
    found = compare_runs(run, other, seeds_of(study.name))
    folder = Path(f"results/agreement/{study.name}")
    for name, table in {"cells": found.cells, "methods": found.by_method(), "verdicts": found.verdicts}.items():
        write_text(folder / f"{name}.csv", csv_text(table))
    figure, points = draw(found.cells, list(study.methods))
    save(figure, points, *(folder / f"accuracies.{form}" for form in ("png", "svg", "csv")))
    code = int(strict and not found.agrees)
    if as_json:
        numbers = {"numbers": len(found.cells), "agree": int(found.cells["agrees"].sum())}
        verdicts = {"verdicts": len(found.verdicts), "same_verdicts": int(found.verdicts["agrees"].sum())}
        return json.dumps({"same_bytes": found.same_bytes, **numbers, **verdicts, "says": found.sentence()}), code
    return f"{told(found, run, other)}\n\nAll numbers: {folder}/cells.csv; figure: {folder}/accuracies.png", code


def draw(cells: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """Classification accuracies of the run against the released ones, in percent, a panel per model; and the points."""
    chosen = cells[(cells["metric"] == "accuracy") & (cells["task"] == "classification")]
    percent = {column: 100 * chosen[column].astype("float64") for column in ("value", "released")}
    points = chosen.assign(**percent)
    return drawn(points, "No classification accuracy to compare.", lambda: _figure(points, methods))


def _figure(points: pd.DataFrame, methods: list[str]) -> Figure:
    models = list(dict.fromkeys(points["model"]))
    width = 3.4 * len(models)
    figure, panels = panel_grid(
        points, ["model"], [[(model,) for model in models]], (width, 4.0), ("released", "this run")
    )
    for panel, (model,), rows in panels:
        panel.plot([0, 100], [0, 100], color=FAINT, linewidth=1.0, zorder=1)
        for method, mine in rows.groupby("method", sort=False):
            colour, marker = method_mark(str(method), methods)
            for agrees, part in mine.groupby("agrees"):
                face = colour if agrees else "none"
                style: Any = {"color": colour, "marker": marker, "markerfacecolor": face, "linestyle": "none"}
                panel.plot(part["released"], part["value"], markersize=5, **style)
        panel.set(title=model, xlim=(-3, 103), ylim=(-3, 103))
        panel.title.set_color(INK)
    marks = {method: method_mark(method, methods) for method in dict.fromkeys(points["method"])}
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=method)
        for method, (colour, marker) in marks.items()
    ]
    legend_below(figure, handles, width)
    heading(figure, "Agreement with the released run", "classification accuracy, percent; hollow: beyond the seeds")
    return figure
