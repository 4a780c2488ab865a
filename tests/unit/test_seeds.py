"""Mean and spread over seeds, by hand."""

import numpy as np
import pandas as pd
import pytest

from manu.analysis.seeds import over_seeds, several_seeds

COLUMNS = ["method", "modality", "seed", "value", "n", "ci_low", "ci_high"]


def cells() -> pd.DataFrame:
    """Three seeds of b, of which the last has no value as text; one seed of a."""
    rows = [
        ("b", "text", 0, 0.25, 4, 0.0, 0.5),
        ("b", "text", 1, 0.75, 4, 0.5, 1.0),
        ("b", "text", 2, np.nan, 4, np.nan, np.nan),
        ("a", "text", 0, 0.5, 4, 0.25, 1.0),
        ("b", "picture", 0, 0.1, 4, 0.0, 0.3),
        ("b", "picture", 1, 0.2, 4, 0.1, 0.3),
        ("b", "picture", 2, 0.6, 4, 0.5, 0.9),
        ("a", "picture", 0, np.nan, 4, np.nan, np.nan),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_by_hand():
    found = over_seeds(cells())
    assert found[["method", "modality", "seeds", "n"]].values.tolist() == [
        ["b", "text", 2, 8],
        ["a", "text", 1, 4],
        ["b", "picture", 3, 12],
        ["a", "picture", 0, 0],
    ]
    nan, root = np.nan, np.sqrt(0.125)  # ((0.25 - 0.5)^2 + (0.75 - 0.5)^2) / (2 - 1)
    assert found["value"].tolist() == pytest.approx([0.5, 0.5, 0.3, nan], nan_ok=True)
    assert found["value_sd"].tolist() == pytest.approx([root, nan, np.sqrt(0.07), nan], nan_ok=True)
    assert found["value_lowest"].tolist() == pytest.approx([0.25, 0.5, 0.1, nan], nan_ok=True)
    assert found["value_highest"].tolist() == pytest.approx([0.75, 0.5, 0.6, nan], nan_ok=True)
    assert found["ci_low"].tolist() == pytest.approx([0.25, 0.25, 0.2, nan], nan_ok=True)
    assert found["ci_high"].tolist() == pytest.approx([0.75, 1.0, 0.5, nan], nan_ok=True)
    assert several_seeds(found) and not several_seeds(over_seeds(cells().query("seed == 0")))


def test_given_keys_and_a_table_without_intervals():
    frame = pd.DataFrame({"site": ["x", "x"], "width": [8, 9], "seed": [3, 5], "pruned": [1, 4]})
    found = over_seeds(frame, "pruned", ["site"])
    assert list(found) == ["site", "pruned", "pruned_sd", "pruned_lowest", "pruned_highest", "seeds"]
    assert found.iloc[0].tolist() == pytest.approx(["x", 2.5, np.sqrt(4.5), 1, 4, 2])


def test_no_rows():
    found = over_seeds(pd.DataFrame(columns=COLUMNS))
    assert found.empty and not several_seeds(found)


def test_a_key_may_be_empty():
    assert over_seeds(cells().assign(task=np.nan))["seeds"].tolist() == [2, 1, 3, 0]
