"""Figures for a notebook, in the style of the study's figures. A notebook shows the figure at the end of a cell."""

import io
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from manu.analysis.figures.style import CHANCE, FAINT, GREY, INK, MODALITY_COLOURS, look, new_figure
from manu.core.pictures import opened
from manu.exploring.samples import SPLITS
from manu.report.explore import Person, person_key

_MARKERS = {"multimodal": "o", "text": "s"}
_TITLES = {"forget": "Forget set (lower is better)", "retain": "Retain set (higher is better)"}


class Picture:
    """A figure as PNG bytes, which a notebook displays."""

    def __init__(self, figure: Figure) -> None:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        self._png = buffer.getvalue()

    def _repr_png_(self) -> bytes:
        return self._png


def accuracy_by_ratio(table: pd.DataFrame) -> Picture:
    """Accuracy against the prune ratio, one panel per split.

    table: the columns prune_ratio (percent), split, modality and accuracy (a fraction).
    """
    with look():
        figure = new_figure(8.0, 3.2)
        for axes, split in zip(figure.subplots(1, len(SPLITS), sharey=True), SPLITS, strict=True):
            for modality, colour in MODALITY_COLOURS.items():
                rows = table[(table["split"] == split) & (table["modality"] == modality)].sort_values("prune_ratio")
                marker = _MARKERS[modality]
                axes.plot(rows["prune_ratio"], 100 * rows["accuracy"], color=colour, marker=marker, label=modality)
            axes.axhline(CHANCE, color=GREY, linestyle=":", linewidth=0.9)
            axes.set(title=_TITLES[split], xlabel="neurons pruned, percent", ylim=(-3, 103))
        figure.axes[0].set_ylabel("accuracy, percent")
        figure.axes[0].legend()
        return Picture(figure)


def person_by_person(table: pd.DataFrame, methods: Sequence[str], names: Mapping[str, str]) -> Picture:
    """The accuracy of two methods on every person, joined by a line.

    table: from `by_person`. names: profile_id -> name.
    """
    with look():
        figure = new_figure(6.5, 1.1 + 0.22 * len(table))
        axes = figure.subplots()
        places = range(len(table))
        first, second = (100 * table[method] for method in methods)
        axes.hlines(places, first, second, color=FAINT, linewidth=2.5, zorder=1)
        axes.plot(first, places, "o", color=INK, markerfacecolor="white", label=methods[0])
        axes.plot(second, places, "D", color=MODALITY_COLOURS["text"], markersize=4.5, label=methods[1])
        axes.set_yticks(places, [names[person] for person in table["profile_id"]])
        axes.invert_yaxis()
        axes.set(xlabel="accuracy, percent", xlim=(-3, 103))
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return Picture(figure)


def activation_by_person(table: pd.DataFrame, people: Mapping[str, Person]) -> Picture:
    """Portraits of people, and a neuron's activation on questions about them.

    table: the columns split, profile_id, before and after (mean of |z|); one row per person, at most about twelve,
    drawn in their order. people: by "<split>/<profile_id>".
    """
    with look():
        figure = new_figure(1.3 * len(table), 3.0)
        portraits, bars = figure.subplots(2, len(table), squeeze=False, gridspec_kw={"height_ratios": (1, 1.3)})
        top = 1.1 * max(table[["before", "after"]].max().max(), 1e-12)
        for row, portrait, bar in zip(table.to_dict("records"), portraits, bars, strict=True):
            person = people[person_key(row["split"], row["profile_id"])]
            portrait.set_axis_off()
            portrait.set_title(f"{person.name}\n{row['split']}", fontsize=7.5, fontweight="normal")
            if row["split"] in person.pictures:
                portrait.imshow(opened(person.pictures[row["split"]]))
            bar.bar(["before", "after"], [row["before"], row["after"]], color=[INK, GREY])
            bar.set(ylim=(0, top))
            bar.tick_params(axis="y", labelleft=bar is bars[0], labelsize=7)
        bars[0].set_ylabel("mean |z|")
        return Picture(figure)
