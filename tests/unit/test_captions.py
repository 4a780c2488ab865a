"""What Snakemake's own report shows has a caption, and every caption is shown."""

import re
from pathlib import Path

from manu.analysis.figures.registry import figure_module, known_figures
from manu.analysis.tables.registry import known_tables, table

WORKFLOW = Path(__file__).parents[2] / "workflow"


def test_every_result_has_a_caption_and_every_caption_a_result():
    text = "".join(path.read_text(encoding="utf-8") for path in (WORKFLOW / "rules").glob("*.smk"))
    named = re.findall(r'shown\("[^"]+", "[^"]+", "[^"]+", "(\w+)"\)', text)
    assert text.count("shown(") == len(named) + text.count("caption=")  # the others bring one as a parameter
    assert {*named, "exhibit", "workflow"} == {path.stem for path in (WORKFLOW / "report").glob("*.rst")}


def test_every_table_and_figure_has_a_title_and_a_caption():
    for each in (*map(table, known_tables()), *map(figure_module, known_figures())):
        title, caption = getattr(each, "title", None) or each.TITLE, getattr(each, "caption", None) or each.CAPTION
        assert title and caption.endswith("."), title
