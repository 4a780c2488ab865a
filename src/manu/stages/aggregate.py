"""Stage: answers -> scores.csv. Reads the configuration's `intervals` (resamples, level)."""

import argparse

import pandas as pd

from manu.analysis.aggregate import read_answers, scores
from manu.analysis.score_file import write_scores
from manu.stages.command import run


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="manu.stages.aggregate", description=__doc__)
    arguments.add_argument("--answers", nargs="+", required=True, metavar="FILE", help="answers, parquet")
    arguments.add_argument("--out", required=True, metavar="FILE", help="scores.csv to write")
    return arguments


def main(args: argparse.Namespace, config: dict) -> str:
    answers = pd.concat([read_answers(path) for path in args.answers], ignore_index=True)
    intervals = config.get("intervals", {})
    table = scores(answers, intervals.get("resamples", 1000), intervals.get("level", 0.95))
    write_scores(table, args.out)
    return f"{args.out}: {len(table)} scores from {len(answers)} answers in {len(args.answers)} files"


if __name__ == "__main__":
    run(main, parser())
