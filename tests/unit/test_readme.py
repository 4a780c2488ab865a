"""The README's numbers are those of the snapshot in git, and the block is filled between its markers."""

import re
from pathlib import Path

import pandas as pd
import pytest

from manu.analysis.cells import csv_text
from manu.analysis.readme import BEGIN, END, fill, parts
from manu.analysis.score_file import read_scores
from manu.analysis.tables import readme
from manu.core.errors import UserError
from manu.study.loading import read_study
from manu.study.settings import settings_of

ROOT = Path(__file__).parents[2]
SNAPSHOT = ROOT / "results/reference/mini"


@pytest.fixture
def block(monkeypatch) -> str:
    """The block computed from the snapshot's scores and capacity tables, as the workflow computes it."""
    monkeypatch.chdir(ROOT)
    config = settings_of(read_study("mini"), "make_table", table="readme")
    capacity = pd.concat([pd.read_csv(path) for path in sorted(SNAPSHOT.glob("tables/capacity_*.csv"))])
    listed = readme.numbers(read_scores(SNAPSHOT / "scores.csv"), capacity, config["methods"], config["ratio"])
    assert csv_text(listed) == (SNAPSHOT / "readme.csv").read_text(encoding="utf-8")
    pruned: dict[str, dict] = {}
    for path in sorted(SNAPSHOT.glob("tables/main_*.csv")):
        for row in pd.read_csv(path).dropna(subset="prune_ratio").itertuples():
            pruned.setdefault(row.model, {})[row.method] = {"prune_ratio": row.prune_ratio}
    return readme.block(listed, config["methods"], pruned, config["ratio"], "mini")


def test_the_readme_has_not_drifted(block):
    _, inside, _ = parts((ROOT / "README.md").read_text(encoding="utf-8"))
    assert inside == block == (SNAPSHOT / "readme.md").read_text(encoding="utf-8")
    assert block.count("| `") == 18


def plain(text: str) -> str:
    """Markdown with one space where a table has several to align its columns."""
    return re.sub(" {2,}", " ", text)


def test_numbers_by_hand():
    keys = {
        "study": "s",
        "model": "m",
        "seed": 0,
        "task": "classification",
        "metric": "accuracy",
        "metric_version": "1",
    }
    cells = [("ga", 5, "forget", "text", 0.5), ("ga", 10, "forget", "text", 0.25), ("ga", 10, "retain", "text", 0.9995)]
    rows = [
        keys
        | dict(zip(("method", "forget_ratio", "split", "modality", "value"), cell, strict=True))
        | {"n": 4, "ci_low": 0.0, "ci_high": 1.0, "higher_is_better": False}
        for cell in cells
    ]
    methods = {"ga": {"kind": "training"}}
    capacity = pd.DataFrame([("m", 40, 0.031), ("m", 40, 0.2), ("m", 0, 0.0)], columns=["model", "prune_ratio", "cost"])
    listed = readme.numbers(pd.DataFrame(rows), capacity, methods, 10)
    assert dict(zip(listed["place"], listed["text"], strict=True)) == {
        "table m ga forget text": "25.0",
        "table m ga retain text": "100.0",  # 99.95 rounds up
        "training forget text lowest": "25.0",
        "training forget text highest": "50.0",
        "training retain text lowest": "100.0",
        "training retain text highest": "100.0",
        "random m 40 percent": "20.0",
    }
    text = plain(readme.block(listed, methods, {"m": methods}, 10, "s"))
    assert text.startswith("Study `s`: ")
    assert "| m | `ga` | 25.0 | | 100.0 | | |" in text
    assert "forget: – with the picture, 25.0 to 50.0 by name; retain: – with the picture, 100.0 by name." in text
    assert text.endswith("points lost in the worst cell: m: 20.0 at 40 %.\n")


def test_chosen_prune_ratios_stand_model_by_model():
    methods = {"manu": {"kind": "pruning"}}
    empty = pd.DataFrame(columns=list(readme.COLUMNS))
    one = {"a": {"manu": {"prune_ratio": 20.0}}, "b": {"manu": {"prune_ratio": 20}}}
    assert "`manu` (20 % pruned): " in readme.block(empty, methods, one, 10, "s")
    two = {"a": {"manu": {"prune_ratio": 20}}, "b": {"manu": {"prune_ratio": 2.5}}}
    assert "`manu` (20 % pruned of a, 2.5 % pruned of b): " in readme.block(empty, methods, two, 10, "s")


def test_the_block_goes_between_the_markers():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert fill(page, "new\n") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert parts(page)[1] == "old\n"
    for broken in (page.replace(BEGIN, ""), page.replace(END, ""), page + page):
        with pytest.raises(UserError, match="needs each of these lines once"):
            fill(broken, "new\n")


def test_several_seeds_show_their_spread():
    keys = {"study": "s", "model": "m", "task": "classification", "metric": "accuracy", "metric_version": "1"}
    cell = {"method": "ga", "forget_ratio": 10, "split": "forget", "modality": "text", "n": 4}
    ends = {"ci_low": 0.0, "ci_high": 1.0, "higher_is_better": False}
    scores = pd.DataFrame([keys | cell | ends | {"seed": seed, "value": value} for seed, value in ((0, 0.5), (1, 0.7))])
    methods = {"ga": {"kind": "training"}}
    listed = readme.numbers(scores, pd.DataFrame(), methods, 10)
    assert listed[["place", "text", "statistic"]].values.tolist()[:2] == [
        ["table m ga forget text", "60.0", "mean"],
        ["table m ga forget text sd", "14.1", "sd"],
    ]
    text = plain(readme.block(listed, methods, {"m": methods}, 10, "s", seeds=2))
    assert "| m | `ga` | 60.0 ± 14.1 | | | | |" in text
    assert "mean ± standard deviation over 2 seeds" in text
