"""Cost of forgetting: forgetting success against the time of the edit."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import in_order, in_percent, row_order, sort_rows
from manu.analysis.figures.style import GREY, drawn, heading, legend_below, method_mark, panel_grid
from manu.analysis.origin import Origin, same
from manu.evaluation.vocabulary import MODALITIES

NEEDS = "costs"
TITLE = "Time cost of forgetting"
CAPTION = (
    "Forgetting success on the forget set, in percent (0: accuracy of vanilla, nothing forgotten; 100: accuracy of "
    "retain_only, which never saw the forget set), against the wall time of the jobs that edit the vanilla model, in "
    "seconds (logarithmic). One panel per model and modality; means over seeds and forget ratios, with "
    "intervals over people. Up and to the left is better. retain_only is exact unlearning: the model is retrained "
    "without the forget set; the dashed line is its time. Runs are left out if forgetting success is not defined, "
    "because vanilla is not more accurate than retain_only. The axis ends at -100 and 200 at the most; intervals over "
    "few people may reach beyond. The times are from the machine that ran the study."
)
_ENDS = (-100.0, 200.0)  # percent
_KEYS = ("model", "modality", "method")
COLUMNS = (*_KEYS, "runs", "seconds", "forgetting_success_percent", "ci_low", "ci_high", "n")


def draw(costs: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its marks (COLUMNS, means over the runs that have a value), from rows of costs.csv.

    Raises ValueError on a method that is neither retain_only nor in `methods`.
    """
    marks = _marks(costs, methods)
    return drawn(marks, "No forgetting success on the forget set.", lambda: _figure(marks, methods))


def _marks(costs: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    sides = []
    for modality in MODALITIES:
        names = {"forgetting_success": "forgetting_success_percent", "ci_low": "ci_low", "ci_high": "ci_high", "n": "n"}
        side = costs.rename(columns={f"{modality}_{old}": new for old, new in names.items()}).assign(modality=modality)
        sides.append(side.dropna(subset=["forgetting_success_percent"]))
    runs = pd.concat(sides, ignore_index=True)
    numbers = ["forgetting_success_percent", "ci_low", "ci_high"]
    runs = in_percent(runs, numbers).astype({"n": "int64"})
    marks = runs.groupby(list(_KEYS), sort=False, as_index=False).agg(
        runs=("seconds", "size"),
        seconds=("seconds", "mean"),
        **{name: (name, "mean") for name in numbers},
        n=("n", "sum"),
    )
    order = {"method": row_order(methods), "modality": list(MODALITIES)}
    return sort_rows(marks[list(COLUMNS)], _KEYS, order)


def origin(row: dict[str, str], column: str) -> Origin:
    """The method's rows of costs.csv, one per seed and forget ratio."""
    taken = {"seconds": "seconds", "forgetting_success_percent": f"{row['modality']}_forgetting_success"}
    return Origin(("costs",), same(row, "model", "method"), taken.get(column, f"{row['modality']}_{column}"))


def _figure(marks: pd.DataFrame, methods: list[str]) -> Figure:
    models = list(dict.fromkeys(marks["model"]))
    modalities = in_order(MODALITIES, marks["modality"])
    width = max(3.6 * len(models) + 0.5, 6.5)
    size, labels = (width, 2.7 * len(modalities) + 1.3), ("time of the edit, s (logarithmic)", "forgetting success, %")
    grid = [[(model, modality) for model in models] for modality in modalities]
    figure, panels = panel_grid(marks, ("model", "modality"), grid, size, labels)
    for panel, (model, modality), here in panels:
        _panel(panel, here, methods)
        panel.set_title(f"{model}, {modality}")
    first = figure.axes[0]
    first.set_xscale("log")
    first.set_ylim(max(marks["ci_low"].min() - 10, _ENDS[0]), min(marks["ci_high"].max() + 10, _ENDS[1]))
    first.xaxis.set_major_formatter("{x:g}")
    present = in_order(row_order(methods), marks["method"])
    handles = [Line2D([], [], linestyle="none", label=name, **_look_of(name, methods)) for name in present]
    handles.append(Line2D([], [], color=GREY, linestyle="--", linewidth=1.0, label="time of exact unlearning"))
    legend_below(figure, handles, width, wide=1.75)
    heading(figure, TITLE, "forgetting success against time; 100 %: as retain_only")
    return figure


def _panel(axes: Axes, marks: pd.DataFrame, methods: list[str]) -> None:
    for level in (0.0, 100.0):
        axes.axhline(level, color=GREY, linewidth=0.6, zorder=1)
    for mark in marks.to_dict("records"):
        seconds, value = mark["seconds"], mark["forgetting_success_percent"]
        if mark["method"] == "retain_only":
            axes.axvline(seconds, color=GREY, linestyle="--", linewidth=1.0, zorder=1)
        axes.errorbar(
            seconds,
            value,
            yerr=[[max(value - mark["ci_low"], 0.0)], [max(mark["ci_high"] - value, 0.0)]],
            fmt="none",
            ecolor=_colour(mark["method"], methods),
            elinewidth=0.9,
            alpha=0.6,
            zorder=2,
        )
        axes.plot(seconds, value, linestyle="none", zorder=3, **_look_of(mark["method"], methods))


def _colour(method: str, methods: list[str]) -> str:
    return method_mark(method, methods)[0]


def _look_of(method: str, methods: list[str]) -> dict:
    colour, marker = method_mark(method, methods)
    return {"marker": marker, "markersize": 6.5, "markeredgecolor": colour, "markerfacecolor": colour}
