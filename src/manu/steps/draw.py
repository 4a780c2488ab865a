"""Rule draw: one figure as PNG, SVG and CSV (the numbers drawn), from the source that its module names in NEEDS.

Reads the configuration's `methods` (names and their order) and, for a figure of the ablation's masks, `variants`
(name -> importance functions).
"""

import argparse
from collections.abc import Mapping

import pandas as pd

from manu.analysis.cells import row_order
from manu.analysis.figures.registry import figure_module
from manu.analysis.figures.style import save
from manu.analysis.origin import Origin
from manu.analysis.reading import Inputs
from manu.core.errors import UserError
from manu.steps.command import StageParser, files_of_sources, run


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__, replayable=True).take("figure", required=True).read_sources().write("png", "svg", "csv")


def main(options: argparse.Namespace, config: Mapping) -> str:
    """Draw the figure and write it in its three forms."""
    module = figure_module(options.figure)
    methods = list(config["methods"])
    data = _data(Inputs(files_of_sources(options)), module.NEEDS, config)
    unknown = sorted(set(data["method"]) - set(row_order(methods))) if module.NEEDS in ("scores", "masks") else []
    if unknown:
        known = ", ".join(methods)
        raise UserError(f"figure {options.figure}: unknown method '{unknown[0]}'; the study lists: {known}")
    figure, drawn = module.draw(data, methods)
    save(figure, drawn, options.png, options.svg, options.csv)
    return f"{options.png}: {module.TITLE.lower()}, {len(drawn)} rows of data"


def _data(inputs: Inputs, source: str, config: Mapping) -> pd.DataFrame:
    """What the figure is drawn from."""
    if source not in ("masks", "variant_masks"):
        return inputs.table(source)
    pruned = inputs.masks(source)
    if source == "masks":
        return pruned
    functions = {name: " ".join(listed) for name, listed in config["variants"].items()}
    return pruned.assign(functions=pruned["method"].map(functions))


def origin(options: Mapping, row: Mapping[str, str], column: str) -> Origin | None:
    """The figure's own module knows."""
    return figure_module(options["figure"]).origin(row, column)


if __name__ == "__main__":
    run(main, parser())
