"""Rule write_explorer: answers and benchmark -> one HTML page of all questions and replies, without other files.

Reads the setting `study` (name) and `methods` (names, in their order).
"""

import os
from collections.abc import Iterable
from pathlib import Path

from manu.analysis.reading import read_answers
from manu.core.diverged import unanswered
from manu.core.files import write_text
from manu.data.reading import read_names
from manu.evaluation.questions import read_split, split_config
from manu.evaluation.vocabulary import SPLITS
from manu.report.explore import NEEDED, Person, explorer, person_key
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("answers", nargs="+", help="answers of the references and the methods, parquet")
    options.read("benchmark", help="folder of the benchmark")
    options.read("assets", required=False, nargs="*", help="the page's own template, style and script, for the record")
    options.write("out", help="the page, HTML")
    return options


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


def read_people(benchmark: Path, asked: Iterable[tuple[str, int]]) -> dict[str, Person]:
    """The people of these splits, each at a forget ratio, by `person_key`; in the split `language` texts, as people."""
    pictures: dict[str, dict[str, bytes]] = {}
    names: dict[str, str] = {}
    for split, ratio in asked:
        known = read_names(benchmark, split_config(split, ratio)) if split != "language" else {}
        for profile in read_split(benchmark, split, ratio):
            key = person_key(split, profile.id)
            names[key] = known.get(profile.id, profile.id)
            pictures.setdefault(key, {}).setdefault(split, profile.image)
    return {key: Person(name, pictures[key]) for key, name in names.items()}


if __name__ == "__main__":
    run(main, parser())
