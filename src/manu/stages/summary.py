"""Stage: the closing summary of a study on the terminal: the main numbers and where things are.

Reads the configuration's `methods` (names and their order) and `figures`.
"""

import argparse
import sys
from pathlib import Path

from manu.analysis.score_file import read_scores
from manu.analysis.tables import text_summary
from manu.stages.command import run


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="manu.stages.summary", description=__doc__)
    arguments.add_argument("--scores", required=True, metavar="FILE", help="results/<study>/scores.csv")
    return arguments


def main(args: argparse.Namespace, config: dict) -> str:
    scores = read_scores(args.scores)
    study = scores["study"].iloc[0]
    results = Path(args.scores).parent
    figures = results.parent.parent / "figures" / study  # results/ and figures/ stand side by side
    models = sorted(set(scores["model"]))
    places = [
        ("scores", args.scores),
        *((f"table {model}", results / "tables" / f"main_{model}.md") for model in models),
        *((f"figure {figure}", figures / f"{figure}.png") for figure in config.get("figures", [])),
        ("answers", f"{results / 'answers'}/"),
    ]
    width = max(len(name) for name, _ in places)
    where = "\n".join(f"{name:{width}}  {path}" for name, path in places)
    sys.stdout.write(f"\n{text_summary(scores, list(config['methods']))}\n\n{where}\n\n")
    return f"study {study}: {len(scores)} scores, {len(models)} models, {scores['method'].nunique()} methods"


if __name__ == "__main__":
    run(main, parser())
