"""Numbers in the pages are those of the snapshots in git."""

import json
import re
from pathlib import Path

import pytest
import yaml

from manu.audit import pages
from manu.core.errors import UserError

ROOT = Path(__file__).parents[2]
NAMES = sorted(page.relative_to(ROOT).as_posix() for pattern in pages.PAGES for page in ROOT.glob(pattern))


@pytest.fixture
def snapshot(tmp_path) -> Path:
    """Three scores, a run of two rules and a number."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/numbers.yaml").write_text("half: s/scores.csv method=npo split=forget value percent\n")
    folder = tmp_path / "results/reference/s"
    folder.mkdir(parents=True)
    (folder / "scores.csv").write_text("method,split,value\nga,forget,0.125\nnpo,forget,0.5\nnpo,retain,1.0\n")
    rules = {"unlearn": {"jobs": 2, "wall_seconds": 90}, "draw": {"jobs": 1, "wall_seconds": 30}}
    device = {"processor": "P", "instructions": "I"}
    run = {"rules": rules, "devices": [device], "commits": ["0123456789"], "clean": False}
    (folder / "run.json").write_text(json.dumps(run))
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_no_number_has_drifted(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert pages.fill(text, ROOT, name) == text, "run: make pages"


@pytest.mark.parametrize(
    ("query", "printed"),
    [
        ("s/scores.csv method=ga value percent", "13"),  # 12.5 rounds up
        ("s/scores.csv method=ga value tenths", "12.5"),
        ("s/scores.csv split=forget value range percent", "13 to 50"),
        ("s/scores.csv method=ga,npo split=forget value highest decimal", "0.50"),
        ("s/scores.csv split=retain method", "npo"),
        ("s/scores.csv split=forget count", "2"),
        ("s/run.json jobs sum whole", "3"),
        ("s/run.json rule=unlearn minutes sum decimal", "1.50"),
    ],
)
def test_a_query_prints(snapshot, query, printed):
    assert pages.value(query, snapshot) == printed


def test_a_number_is_filled_by_its_name(snapshot):
    page = "before <!--half-->old<!--/--> after <!-- a comment --> and <!--half--><!--/-->"
    filled = "before <!--half-->50<!--/--> after <!-- a comment --> and <!--half-->50<!--/-->"
    assert pages.fill(page, snapshot, "p.md") == filled
    with pytest.raises(UserError, match="p.md: third: docs/numbers.yaml has no such name"):
        pages.fill("<!--third-->1<!--/-->", snapshot, "p.md")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("s/scores.csv value percent", "3 rows with several values"),
        ("s/scores.csv method=gaa value percent", "0 rows, columns"),
        ("s/scores.csv method=ga", "needed: at least one row, one column"),
        ("s/scores.csv model=llava value percent", "'model'"),
        ("t/scores.csv value percent", "No such file"),
    ],
)
def test_a_query_that_fits_nothing_is_named(snapshot, query, message):
    (snapshot / "docs/numbers.yaml").write_text(yaml.safe_dump({"half": query}))
    with pytest.raises(UserError, match=f"p.md: half: {query}: .*{message}"):
        pages.fill("<!--half--><!--/-->", snapshot, "p.md")


def test_every_query_is_used():
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in NAMES)
    assert not [name for name in yaml.safe_load((ROOT / pages.NUMBERS).read_text()) if f"<!--{name}-->" not in text]


def test_the_table_of_runs(snapshot):
    filled = pages.fill("<!--runs-->\nold\n<!--/-->", snapshot, "p.md")
    assert "| `s` | 3 | 2 | P, I | `0123456`, with changes that were not committed |\n<!--/-->" in filled


def test_pages_are_filled_once(snapshot):
    (snapshot / "docs/a.md").write_text("<!--half-->9<!--/-->\n")
    (snapshot / "README.md").write_text("nothing to fill\n")
    assert pages.fill_pages(snapshot) == ["docs/a.md"]
    assert pages.fill_pages(snapshot) == []


# Percentages in prose that are no results of a study, and why.
NO_RESULTS = {
    "at 10 percent": "a forget ratio",
    "at 5 and 10 percent": "forget ratios",
    "1, 5 and 10 percent": "forget ratios",
    "forget 5, 10 and 15 percent": "forget ratios",
    "forgetting 5 percent": "a forget ratio",
    "at 10, 20 and 40 percent": "shares of random pruning",
    "2, 5, 10 percent are reported": "the paper's prune ratios",
    "at least 98.4 percent of vanilla's accuracy": "the paper's drop on the retain set, a threshold here",
    "Chance is 25 percent": "of four options",
    "20 percent of the tokens": "in the definition of a metric",
    "is 95 percent": "the level of the intervals",
    "95 percent intervals": "the level of the intervals",
    "rates from 2 to 98 percent": "settings of a simulation",
    "40 % of its bfloat16 peak": "an assumption of `manu plan`",
    "planned 2 to 20 percent too low": "of `manu plan --check`, of which there is no snapshot",
    "of attacks 40 percent": "of `manu plan --check`, of which there is no snapshot",
}
NOT_PROSE = re.compile(
    r"```.*?```|<!-- results:.*?<!-- end of results -->|<!--[\w-]+-->[^<]*<!--/-->|`[^`]*`", re.DOTALL
)
PERCENT = re.compile(r".{,40}?\b\d[\d.,]*\s?(?:%|percent\b|(?:percentage )?points?\b)")
PROSE = {name: NOT_PROSE.sub("", (ROOT / name).read_text(encoding="utf-8")) for name in NAMES}


@pytest.mark.parametrize("name", [name for name in PROSE if name == "README.md" or name.startswith("docs/")])
def test_no_percentage_is_typed_by_hand(name):
    """A result is filled from a snapshot (docs/results.md says how). Other percentages are listed above."""
    text = PROSE[name]
    for phrase in NO_RESULTS:
        text = text.replace(phrase, "")
    assert PERCENT.findall(text) == []


def test_a_percentage_typed_by_hand_would_be_found():
    text = "NPO keeps 37 percent, <!--a-->5<!--/--> percent, `7 percent`, 4.5% and loses 12 points of 3 pointers."
    assert len(PERCENT.findall(NOT_PROSE.sub("", text))) == 3


def test_every_exception_is_needed():
    assert [phrase for phrase in NO_RESULTS if not any(phrase in text for text in PROSE.values())] == []
