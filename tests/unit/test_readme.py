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
    """The block computed from the snapshot's scores, as the workflow computes it."""
    monkeypatch.chdir(ROOT)
    config = settings_of(read_study("mini"), "make_table", table="readme")
    listed = readme.numbers(read_scores(SNAPSHOT / "scores.csv"), config["methods"], config["ratio"])
    assert csv_text(listed) == (SNAPSHOT / "readme.csv").read_text(encoding="utf-8")
    return readme.block(listed, config["ratio"], "mini")


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
    listed = readme.numbers(pd.DataFrame(rows), ["ga"], 10)
    assert listed[["method", "forget_ratio", "split", "modality", "text", "statistic"]].values.tolist() == [
        ["ga", 10, "forget", "text", "25.0", "mean"],
        ["ga", 10, "retain", "text", "100.0", "mean"],  # 99.95 rounds up
    ]
    text = plain(readme.block(listed, 10, "s"))
    assert text.startswith("Study `s`: ")
    assert text.endswith("| m | `ga` | 25.0 | 100.0 | |\n")


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
    listed = readme.numbers(scores, ["ga"], 10)
    assert listed[["text", "statistic"]].values.tolist() == [["60.0", "mean"], ["14.1", "sd"]]
    text = plain(readme.block(listed, 10, "s", seeds=2))
    assert "| m | `ga` | 60.0 ± 14.1 | | |" in text
    assert "mean ± standard deviation over 2 seeds" in text
