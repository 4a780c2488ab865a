"""The README's numbers are those of the snapshot in git, and the block is filled between its markers."""

from pathlib import Path

import pytest
from made_rows import scores, squeezed

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
    assert block.count("| `") == 22


def test_numbers_by_hand():
    cells = [
        {"forget_ratio": 5, "value": 0.5},
        {"forget_ratio": 10, "value": 0.25},
        {"forget_ratio": 10, "value": 0.9995, "split": "retain"},
    ]
    listed = readme.numbers(scores(*cells), ["ga"], 10)
    assert listed[["method", "forget_ratio", "split", "modality", "text", "statistic"]].values.tolist() == [
        ["ga", 10, "forget", "text", "25.0", "mean"],
        ["ga", 10, "retain", "text", "100.0", "mean"],  # 99.95 rounds up
    ]
    text = squeezed(readme.block(listed, 10, "s"))
    assert text.startswith("Study `s`: ")
    assert text.endswith("| llava | `ga` | 25.0 | 100.0 | |\n")


def test_the_block_goes_between_the_markers():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert fill(page, "new\n") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert parts(page)[1] == "old\n"
    for broken in (page.replace(BEGIN, ""), page.replace(END, ""), page + page):
        with pytest.raises(UserError, match="needs each of these lines once"):
            fill(broken, "new\n")


def test_several_seeds_show_their_spread():
    listed = readme.numbers(scores({"seed": 0, "value": 0.5}, {"seed": 1, "value": 0.7}), ["ga"], 5)
    assert listed[["text", "statistic"]].values.tolist() == [["60.0", "mean"], ["14.1", "sd"]]
    text = squeezed(readme.block(listed, 5, "s", seeds=2))
    assert "| llava | `ga` | 60.0 ± 14.1 | | |" in text
    assert "mean ± standard deviation over 2 seeds" in text
