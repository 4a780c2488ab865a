"""Links in the repository's Markdown files lead to files and headings that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "config/*.md", "data/*.md", "results/*.md", "figures/*.md", "notebooks/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^(```|~~~).*?^\1$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    """A page without its blocks of code."""
    return CODE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings: lower case, no punctuation, a hyphen for each space; repeated ones numbered."""
    found: set[str] = set()
    for title in re.findall(r"^#+ +(.+?) *#*$", text_of(page), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        plain = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        number = next(n for n in range(len(found) + 1) if (f"{plain}-{n}" if n else plain) not in found)
        found.add(f"{plain}-{number}" if number else plain)
    return found | set(re.findall(r'(?:id|name)="([^"]+)"', page.read_text(encoding="utf-8")))


def test_anchors_are_those_of_github(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# What `manu plan` says, and why\n## A\n```\n# no heading\n```\n## A\n")
    assert anchors(page) == {"what-manu-plan-says-and-why", "a", "a-1"}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    page, broken = ROOT / name, []
    for target in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        if (
            not there.exists()
            or not there.is_relative_to(ROOT)
            or (anchor and there.suffix == ".md" and anchor not in anchors(there))
        ):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("name", PAGES)
def test_no_path_of_a_single_machine(name):
    assert not re.search(r"(?<![\w.>])/(?:home|root|work|Users|tmp)/", (ROOT / name).read_text(encoding="utf-8"))
