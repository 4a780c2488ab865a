"""Rules draw_scores, draw_masks and draw_tables: one figure as PNG, SVG and CSV (the numbers drawn).

Reads the configuration's `methods` (names and their order). A figure's module says in NEEDS whether it is
drawn from `--scores`, from `--masks` (a mask's path tells its model, seed, forget ratio and method) or from
another table of the study, `--tables`.
"""

import pandas as pd

from manu.analysis.cells import row_order
from manu.analysis.figures.registry import figure_module
from manu.analysis.figures.style import save
from manu.analysis.origin import Origin
from manu.analysis.pruned import read_pruned
from manu.analysis.score_file import read_scores
from manu.core.errors import UserError
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rules."""
    options = StageParser(__doc__, replayable=True)
    options.add_argument("--figure", required=True, help="name of a file in manu/analysis/figures")
    options.read("scores", required=False, help="scores.csv")
    options.read("masks", required=False, nargs="*", help="mask.safetensors of the pruning methods, or of variants")
    options.read("tables", required=False, nargs="*", help="the table that the figure needs, one file or one per model")
    for form in ("png", "svg", "csv"):
        options.write(form)
    return options


def main(options, config) -> str:
    """Draw the figure and write it in its three forms."""
    module = figure_module(options.figure)
    methods = list(config["methods"])
    data = _data(options, module.NEEDS, config)
    unknown = sorted(set(data["method"]) - set(row_order(methods))) if module.NEEDS in ("scores", "masks") else []
    if unknown:
        known = ", ".join(methods)
        raise UserError(f"figure {options.figure}: unknown method '{unknown[0]}'; the study lists: {known}")
    figure, drawn = module.draw(data, methods)
    save(figure, drawn, options.png, options.svg, options.csv)
    return f"{options.png}: {module.TITLE.lower()}, {len(drawn)} rows of data"


def _data(options, needs: str, config: dict) -> pd.DataFrame:
    """What the figure is drawn from."""
    given = {"scores": "scores", "masks": "masks", "variants": "masks"}.get(needs, "tables")
    if needs == "scores" and options.scores:
        return read_scores(options.scores)
    if needs == "masks" and options.masks is not None:
        return read_pruned(options.masks)
    if needs == "variants" and options.masks is not None:
        functions = {name: " ".join(listed) for name, listed in config["variants"].items()}
        pruned = read_pruned(options.masks)
        return pruned.assign(functions=pruned["method"].map(functions))
    if given == "tables" and options.tables:
        return pd.concat([pd.read_csv(path) for path in options.tables], ignore_index=True)
    raise UserError(f"figure {options.figure} is drawn from the {needs}: give --{given}")


def origin(options, row, column) -> Origin | None:
    """The figure's own module knows."""
    return figure_module(options["figure"]).origin(row, column)


if __name__ == "__main__":
    run(main, parser())
