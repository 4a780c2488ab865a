"""Rule write_explorer: answers and benchmark -> one HTML page of all questions and replies, without other files.

Reads the setting `study` (name) and `methods` (names, in their order). --assets: as for write_report.
"""

import os
from pathlib import Path

from manu.analysis.reading import read_answers
from manu.core.diverged import unanswered
from manu.core.files import write_text
from manu.evaluation.vocabulary import SPLITS
from manu.report.explore import NEEDED, explorer, read_people
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True).read("answers", nargs="+").read("benchmark")
    return options.read("assets", required=False, nargs="*").write("out")


def main(options, config) -> str:
    """Write the page --out."""
    files = [path for path in options.answers if not unanswered(path)]
    answers = {Path(os.path.relpath(path)).as_posix(): read_answers(path, NEEDED) for path in files}
    asked = {place for rows in answers.values() for place in zip(rows["split"], rows["forget_ratio"], strict=True)}
    people = read_people(options.benchmark, sorted(asked, key=lambda place: (SPLITS.index(place[0]), place[1])))
    text = explorer(config["study"], config["methods"], answers, people)
    write_text(options.out, text)
    rows = sum(map(len, answers.values()))
    return f"{options.out}: {rows} answers about {len(people)} people, {len(text.encode('utf-8')) / 2**20:.1f} MiB"


if __name__ == "__main__":
    run(main, parser())
