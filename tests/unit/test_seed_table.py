"""The table of every cell over its seeds: by hand, as the stage writes it."""

import pytest
from made_rows import outcomes, scores

from manu.analysis.cells import csv_text, read_cells
from manu.analysis.score_file import write_scores
from manu.analysis.tables import seeds as seed_table
from manu.steps import make_table

SCORES = scores(
    *(
        {"method": method, "seed": seed, "task": "cloze", "value": value, "ci_low": value - 0.1, "ci_high": value + 0.2}
        for method, seed, value in (("ga", 0, 0.25), ("ga", 1, 0.75), ("manu", 0, 0.5))
    )
)


MEASURED = outcomes(
    *(
        {"seed": seed, "metric": "retention", "value": value, "higher_is_better": True}
        for seed, value in ((0, 0.5), (1, None), (2, 1.0))
    )
)


@pytest.fixture
def rows(tmp_path) -> list[dict[str, str]]:
    """The table's cells as the stage writes them."""
    paths = {name: tmp_path / f"{name}.csv" for name in ("scores", "outcomes", "out")}
    write_scores(SCORES, paths["scores"])
    paths["outcomes"].write_text(csv_text(MEASURED), encoding="utf-8")
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


def test_nothing_gives_nothing():
    empty = seed_table.seed_table(SCORES.head(0), MEASURED.head(0))
    assert empty.empty and list(empty) == list(seed_table.COLUMNS)
