"""Origins tell the truth: a number changes with the rows that it is said to come from, and with no others."""

import numpy as np
import pandas as pd
import pytest

from manu.analysis.figures.registry import figure_keys, figure_module, known_figures
from manu.analysis.pruned import PRUNED_COLUMNS
from manu.analysis.reading import Inputs
from manu.analysis.score_file import SCORE_COLUMNS
from manu.analysis.tables import capacity, main, readme
from manu.audit.numbers import Rows, is_number
from manu.evaluation.vocabulary import MODALITIES

METHODS = {"ga": {"kind": "training"}, "manu": {"kind": "pruning", "prune_ratio": 10.0}}


DRAWN_HERE = [name for name in known_figures() if figure_module(name).NEEDS in ("scores", "masks", "variant_masks")]


def scores() -> pd.DataFrame:
    """Every cell of two ratios and two seeds, each with its own numbers."""
    rng = np.random.default_rng(0)
    rows = []
    for ratio in (5, 10):
        for seed in (0, 1):
            for method in ("vanilla", "retain_only", *METHODS):
                for split in ("forget", "test", "retain", "celebrity", "general"):
                    for modality in MODALITIES:
                        for task, metric in (
                            ("classification", "accuracy"),
                            ("cloze", "accuracy"),
                            ("generation", "rougeL"),
                        ):
                            key = ("tiny", "llava", method, ratio, seed, split, modality, task, metric, "1")
                            value = rng.uniform(0.3, 0.7)
                            rows.append((*key, value, rng.integers(10, 20), value - 0.1, value + 0.1, True))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def pruned() -> pd.DataFrame:
    rows = [
        ("llava", "manu", ratio, seed, "mlp_input", f"{part}.{layer}", part, layer, 1 + layer + seed, 8 + ratio)
        for ratio in (5, 10)
        for seed in (0, 1)
        for part in ("language", "vision")
        for layer in (0, 1)
    ]
    return pd.DataFrame(rows, columns=list(PRUNED_COLUMNS))


def answers() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    keys = [
        ("llava", method, 10, seed, split, modality, "cloze")
        for method in ("vanilla", "random40")
        for seed in (0, 1)
        for split in ("forget", "retain")
        for modality in MODALITIES
        for _ in range(5)
    ]
    frame = pd.DataFrame(keys, columns=["model", "method", "forget_ratio", "seed", "split", "modality", "task"])
    return frame.assign(correct=rng.uniform(size=len(frame)))


class Given(Inputs):
    """Sources as frames, not as files."""

    def __init__(self, **frames: pd.DataFrame) -> None:
        super().__init__({})
        self._frames = frames

    def answers(self, *sources, columns=()) -> pd.DataFrame:
        return pd.concat([self._frames[source] for source in sources], ignore_index=True)

    def table(self, source) -> pd.DataFrame:
        return self._frames[source]


def capacity_of(frame: pd.DataFrame) -> pd.DataFrame:
    plain = frame["method"] == "vanilla"
    return capacity.make(Given(vanilla=frame[plain], random=frame[~plain]), {"prune_ratios": {"random40": 40}})


def other_scores(chosen: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    factors = rng.uniform(1.1, 1.3, (len(chosen), 1))
    values = ["value", "ci_low", "ci_high"]
    return chosen.assign(**(chosen[values] * factors), n=chosen["n"] + rng.integers(1, 9, len(chosen)))


def other_pruned(chosen: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    added = {name: chosen[name] + rng.integers(1, 9, len(chosen)) for name in ("pruned", "width")}
    return chosen.assign(**added)


def other_answers(chosen: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    changed = chosen.assign(correct=chosen["correct"] * rng.uniform(1.1, 1.3, len(chosen)))
    return pd.concat([changed, changed.head(1)])


def as_text(frame: pd.DataFrame) -> list[dict[str, str]]:
    """The rows of a table as its CSV shows them."""
    return frame.map(lambda value: "" if pd.isna(value) else str(value)).to_dict("records")


def figure_of(name: str):
    return lambda source: figure_module(name).draw(source, list(METHODS))[1]


def exhibits() -> list:
    """(source, what else could stand in its rows, source -> table, origin, keys)."""
    listed = [
        (
            scores(),
            other_scores,
            lambda s: main.main_table(s, "llava", METHODS, "letter"),
            main.origin,
            main.TABLE.keys,
        ),
        (answers(), other_answers, capacity_of, capacity.origin, capacity.TABLE.keys),
        (
            scores(),
            other_scores,
            lambda s: readme.numbers(s, pd.DataFrame(), METHODS, 10),
            readme.origin,
            readme.TABLE.keys,
        ),
    ]
    for name in DRAWN_HERE:
        module = figure_module(name)
        source, other = (scores(), other_scores) if module.NEEDS == "scores" else (pruned(), other_pruned)
        source = source.assign(functions="abs") if module.NEEDS == "variant_masks" else source
        listed.append((source, other, figure_of(name), module.origin, figure_keys(name)))
    return listed


@pytest.mark.parametrize(
    ("source", "other", "make", "origin", "keys"), exhibits(), ids=["main table", "capacity", "README", *DRAWN_HERE]
)
def test_a_number_depends_on_its_origin_and_on_nothing_else(source, other, make, origin, keys):
    rng = np.random.default_rng(0)
    plain = as_text(make(source))
    cells = [(i, column) for i, row in enumerate(plain) for column in row if is_number(row[column])]
    numbers = [(i, column) for i, column in cells if column not in keys]
    assert numbers and all(origin(plain[i], column) for i, column in numbers)
    assert all(origin(plain[i], column) is None for i, column in cells if column in keys)
    for i, column in (numbers[k] for k in rng.permutation(len(numbers))[:25]):
        inside = source.index.isin(Rows(source).match(origin(plain[i], column).where).index)
        assert inside.any() and not inside.all()
        for chosen, changes in ((inside, True), (~inside, False)):
            if changes and (column == "text" or (column == "cost" and plain[i]["method"] == "vanilla")):
                continue  # one decimal of a percentage may well stay; vanilla costs nothing against itself
            changed = pd.concat([source[~chosen], other(source[chosen], rng)]).sort_index(kind="stable")
            again = float(as_text(make(changed))[i][column])
            assert (abs(again - float(plain[i][column])) > 1e-9) is changes, (plain[i], column, changes)
