"""The table of every cell over its seeds: by hand, as the stage writes it, and where its numbers come from."""

import pandas as pd
import pytest

from manu.analysis import outcomes
from manu.analysis.cells import csv_text, read_cells
from manu.analysis.score_file import SCORE_COLUMNS, write_scores
from manu.analysis.tables import seeds as seed_table
from manu.audit.numbers import Rows, is_number
from manu.steps import make_table


def scores() -> pd.DataFrame:
    rows = [
        (
            "s",
            "llava",
            method,
            5,
            seed,
            "forget",
            "text",
            "cloze",
            "accuracy",
            "1",
            value,
            8,
            value - 0.1,
            value + 0.2,
            False,
        )
        for method, seed, value in (("ga", 0, 0.25), ("ga", 1, 0.75), ("manu", 0, 0.5))
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def measured() -> pd.DataFrame:
    rows = [
        ("s", "llava", 5, seed, "ga", "forget", "both", "retention", "1", value, 8, value, value, True)
        for seed, value in ((0, 0.5), (1, None), (2, 1.0))
    ]
    return pd.DataFrame(rows, columns=list(outcomes.COLUMNS))


@pytest.fixture
def rows(tmp_path) -> list[dict[str, str]]:
    """The table's cells as the stage writes them."""
    paths = {name: tmp_path / f"{name}.csv" for name in ("scores", "outcomes", "out")}
    write_scores(scores(), paths["scores"])
    paths["outcomes"].write_text(csv_text(measured()), encoding="utf-8")
    sources = [word for name in ("scores", "outcomes") for word in ("--source", name, str(paths[name]))]
    options = make_table.parser().parse_args(["--table", "seeds", *sources, "--csv", str(paths["out"])])
    assert make_table.main(options, {}).endswith("Seeds, 3 rows")
    return read_cells(paths["out"])


def test_by_hand(rows):
    assert list(rows[0]) == list(seed_table.COLUMNS)
    keys = ("method", "modality", "task", "metric", "metric_version", "seeds", "higher_is_better")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("ga", "text", "cloze", "accuracy", "1", "2", "False"),
        ("manu", "text", "cloze", "accuracy", "1", "1", "False"),
        ("ga", "both", "", "retention", "1", "2", "True"),
    ]
    numbers = [[row[name] for name in seed_table.NUMBERS] for row in rows]
    assert numbers == [
        ["0.500000", "0.353553", "0.250000", "0.750000", "0.400000", "0.700000"],
        ["0.500000", "", "0.500000", "0.500000", "0.400000", "0.700000"],
        ["0.750000", "0.353553", "0.500000", "1.000000", "0.750000", "0.750000"],
    ]


def test_every_number_comes_from_the_rows_of_its_seeds(rows):
    sources = {"scores": Rows(scores()), "outcomes": Rows(measured())}
    for row, count in zip(rows, (2, 1, 3), strict=True):
        for column in row:
            origin = seed_table.TABLE.origin(row, column)
            assert (origin is not None) == (column in seed_table.NUMBERS)
            assert origin or column in seed_table.TABLE.keys or not is_number(row[column])
            if origin:
                found = sources[origin.sources[0]].match(origin.where)
                assert len(found) == count and origin.column in found


def test_nothing_gives_nothing():
    empty = seed_table.seed_table(scores().head(0), measured().head(0))
    assert empty.empty and list(empty) == list(seed_table.COLUMNS)
