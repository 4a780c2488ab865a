"""Rule measure_statistics: run the vanilla model once over forget and retain records, in both modalities.

Stage one of MANU: only sums are kept, and every importance is computed from them.
"""

from manu.models.checkpoint import load_model
from manu.steps.command import StageParser, run
from manu.unlearning.measured import measured


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True)
    options.read("benchmark")
    options.read("vanilla")
    options.write("out")
    options.add_argument("--ratio", type=int, required=True, help="forget ratio in percent; 0: the tuning people")
    options.add_argument("--kind", required=True, help="name of the statistics")
    return options


def main(options, config) -> str:
    """Measure and write the statistics --out."""
    vlm = load_model(config, options.vanilla)
    statistics = measured(config, vlm, options.benchmark, options.ratio, options.kind)
    statistics.save(options.out)
    return f"{options.out}: {options.kind} statistics of {sum(statistics.widths.values())} units"


if __name__ == "__main__":
    run(main, parser())
