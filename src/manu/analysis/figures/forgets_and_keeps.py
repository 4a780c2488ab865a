"""Who forgets, and who keeps the rest: two marks for each method, the worse of everything that is asked."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manu.analysis.cells import in_order, row_order, sort_rows
from manu.analysis.figures.style import CHANCE, GREY, chance_legend, drawn, heading, legend_below, panel_grid
from manu.analysis.origin import Origin, same
from manu.analysis.seeds import over_seeds
from manu.evaluation.vocabulary import MODALITIES

NEEDS = "scores"
TITLE = "Who forgets, and who keeps the rest?"
CAPTION = (
    "Classification accuracy in percent, in the worse of both modalities. Square: on the forget set, the higher "
    "accuracy of the two, since what is still known in one modality is not forgotten. Circle: the lowest accuracy on "
    "retain people and public figures. A method does what is asked of it when its square lies left, near "
    "retain-only's, and its circle right. Blue bar: it knows those whom it should keep better than the forget people; "
    "red bar: it does not. The middle forget ratio; with several seeds, means. Dotted: chance with four options."
)
KEPT = ("retain", "celebrity")
COLUMNS = ("model", "forget_ratio", "method", "seeds", "forget", "forget_n", "kept", "kept_n")
_KEYS = ["model", "forget_ratio", "method", "seeds"]
_FORGET, _KEPT = "#d55e00", "#0072b2"  # Okabe and Ito


def draw(scores: pd.DataFrame, methods: list[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure and its marks, from rows of scores.csv: the columns COLUMNS, in percent, means over seeds.

    forget: the highest accuracy of the modalities on forget; kept: the lowest of KEPT and the modalities; ..._n:
    answers behind each of them.
    """
    marks = _marks(scores, methods)
    return drawn(marks, "No classification answers on forget, retain and celebrity.", lambda: _figure(marks, methods))


def _marks(scores: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    ratios = sorted(set(scores["forget_ratio"]))
    chosen = scores[(scores["task"] == "classification") & (scores["metric"] == "accuracy")]
    means = over_seeds(chosen[chosen["forget_ratio"] == ratios[len(ratios) // 2]] if ratios else chosen)
    sides = []
    for name, splits, end in (("forget", ("forget",), "max"), ("kept", KEPT, "min")):
        groups = means[means["split"].isin(splits)].groupby(_KEYS)
        sides.append(pd.DataFrame({name: groups["value"].agg(end) * 100.0, f"{name}_n": groups["n"].min()}))
    marks = sides[0].join(sides[1], how="inner").reset_index()
    return sort_rows(marks[[*COLUMNS]], _KEYS[:3], {"method": row_order(methods)})


def origin(row: dict[str, str], column: str) -> Origin:
    """The rows of scores.csv behind a number: of both modalities, and of both sets that are to be kept."""
    splits = KEPT if column.startswith("kept") else ("forget",)
    where = same(row, "model", "forget_ratio", "method") | {"split": splits, "modality": tuple(MODALITIES)}
    return Origin((NEEDS,), where | {"task": ("classification",), "metric": ("accuracy",)}, "value")


def _figure(marks: pd.DataFrame, methods: list[str]) -> Figure:
    models = list(dict.fromkeys(marks["model"]))
    names = in_order(row_order(methods), marks["method"])
    width = max(3.6 * len(models) + 1.4, 6.0)
    size = width, 0.27 * len(names) + 1.8
    below = "accuracy, %"
    figure, panels = panel_grid(marks, ("model",), [[(model,) for model in models]], size, (below, ""))
    for panel, (model,), here in panels:
        _panel(panel, here, names)
        panel.set_title(model)
    handles = [
        Line2D([], [], color=_FORGET, marker="s", linestyle="none", label="forget set: left is better"),
        Line2D([], [], color=_KEPT, marker="o", linestyle="none", label="retain and public figures: right is better"),
        chance_legend(),
    ]
    legend_below(figure, handles, width, wide=2.6)
    heading(figure, TITLE, f"{marks['forget_ratio'].iloc[0]} % forgotten; the worse of both modalities")
    return figure


def _panel(axes: Axes, marks: pd.DataFrame, names: list[str]) -> None:
    axes.axvline(CHANCE, color=GREY, linestyle=":", linewidth=1.0, zorder=1)
    for mark in marks.to_dict("records"):
        place, forget, kept = names.index(mark["method"]), mark["forget"], mark["kept"]
        axes.plot([forget, kept], [place] * 2, color=_KEPT if kept > forget else _FORGET, linewidth=4, alpha=0.3)
        axes.plot(forget, place, marker="s", color=_FORGET, markersize=6, zorder=3)
        axes.plot(kept, place, marker="o", color=_KEPT, markersize=6, zorder=3)
    axes.set_xlim(-4, 104)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
