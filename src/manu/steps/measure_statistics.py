"""Rule measure_statistics: run the vanilla model once over forget and retain records, in both modalities.

Stage one of MANU: only sums are kept, and every importance is computed from them. --ratio 0: of the tuning people.
"""

from manu.models.checkpoint import load_model
from manu.steps.command import StageParser, run
from manu.unlearning.measured import measured


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True).read("benchmark", "vanilla").write("out")
    return options.take("ratio", type=int, required=True).take("kind", required=True)


def main(options, config) -> str:
    """Measure and write the statistics --out."""
    vlm = load_model(config, options.vanilla)
    statistics = measured(config, vlm, options.benchmark, options.ratio, options.kind)
    statistics.save(options.out)
    return f"{options.out}: {options.kind} statistics of {sum(statistics.widths.values())} units"


if __name__ == "__main__":
    run(main, parser())
