"""Stage: one figure as PNG, SVG and CSV (the numbers drawn), from the scores or from the masks.

Reads the configuration's `methods` (names and their order). A figure's module says in NEEDS whether it is
drawn from `--scores` or from `--masks`; a mask's path tells its model, seed, forget ratio and method.
"""

import argparse

import pandas as pd

from manu.analysis.figures.registry import figure_module
from manu.analysis.figures.style import save
from manu.analysis.pruned import read_pruned
from manu.analysis.score_file import read_scores
from manu.analysis.tables import row_order
from manu.errors import UserError
from manu.stages.command import run


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="manu.stages.draw", description=__doc__)
    arguments.add_argument("--figure", required=True, help="name of a file in manu/analysis/figures")
    arguments.add_argument("--scores", metavar="FILE", help="scores.csv")
    arguments.add_argument("--masks", nargs="*", metavar="FILE", help="mask.safetensors of the pruning methods")
    arguments.add_argument("--out", required=True, metavar="PREFIX", help="path to write, without a suffix")
    return arguments


def main(args: argparse.Namespace, config: dict) -> str:
    module = figure_module(args.figure)
    methods = list(config["methods"])
    data = _data(args, module.NEEDS)
    unknown = sorted(set(data["method"]) - set(row_order(methods)))
    if unknown:
        raise UserError(f"figure {args.figure}: unknown method '{unknown[0]}'; the study lists: {', '.join(methods)}")
    figure, drawn = module.draw(data, methods)
    paths = save(figure, drawn, args.out)
    return f"{paths[0]}: {module.TITLE.lower()}, {len(drawn)} rows of data"


def _data(args: argparse.Namespace, needs: str) -> pd.DataFrame:
    """What the figure is drawn from."""
    if needs == "scores" and args.scores:
        return read_scores(args.scores)
    if needs == "masks" and args.masks is not None:
        return read_pruned(args.masks)
    raise UserError(f"figure {args.figure} is drawn from the {needs}: give --{needs}")


if __name__ == "__main__":
    run(main, parser())
