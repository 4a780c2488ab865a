"""What Snakemake's own report shows has a caption, and every caption is shown."""

import re
from pathlib import Path

WORKFLOW = Path(__file__).parents[2] / "workflow"


def test_every_result_has_a_caption_and_every_caption_a_result():
    text = "".join(path.read_text(encoding="utf-8") for path in (WORKFLOW / "rules").glob("*.smk"))
    shown = re.findall(r'shown\("[^"]+", "[^"]+", "(\w+)", ', text)
    assert len(shown) == text.count("shown(")
    assert {*shown, "workflow"} == {path.stem for path in (WORKFLOW / "report").glob("*.rst")}
