"""Rule generate_benchmark: write the built-in benchmark as parquet."""

from manu.data.benchmark import BenchmarkSettings, generate
from manu.data.language import generate_language
from manu.stages.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__)
    options.read("language", required=False, help="folder with the texts of the split language, if it is asked")
    options.write("out")
    return options


def main(options, config) -> str:
    """Write every configuration under --out."""
    rows = generate(options.out, BenchmarkSettings(**config["benchmark"]), config["forget_ratios"])
    if options.language:
        generate_language(options.out, options.language, config["benchmark"]["seed"])
    return f"{options.out}: {rows['Full_Set']} people, {rows['Retain_Set']} public figures, {rows['ft_Data']} portraits"


if __name__ == "__main__":
    run(main, parser())
