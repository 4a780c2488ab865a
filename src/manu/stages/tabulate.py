"""Stage: scores.csv -> the main table of one model, as CSV and Markdown.

Reads the configuration's `methods` (names, order, prune_ratio) and `evaluation.classification`.
"""

import argparse

from manu.analysis.score_file import read_scores
from manu.analysis.tables import csv_text, main_table, markdown
from manu.files import write_text
from manu.stages.command import run


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="manu.stages.tabulate", description=__doc__)
    arguments.add_argument("--scores", required=True, metavar="FILE", help="scores.csv")
    arguments.add_argument("--model", required=True, help="the model's name in the scores")
    arguments.add_argument("--csv", required=True, metavar="FILE", help="table to write, CSV")
    arguments.add_argument("--markdown", required=True, metavar="FILE", help="table to write, Markdown")
    return arguments


def main(args: argparse.Namespace, config: dict) -> str:
    table = main_table(read_scores(args.scores), args.model, config["methods"], config["evaluation"]["classification"])
    write_text(args.csv, csv_text(table))
    write_text(args.markdown, markdown(table))
    return f"{args.markdown}: {len(table)} rows, {table['method'].nunique()} methods"


if __name__ == "__main__":
    run(main, parser())
