"""Rule generate_benchmark: write the built-in benchmark as parquet.

--language: the folder with the texts of the split language, where it is asked.
"""

from manu.data.benchmark import generate
from manu.data.language import generate_language
from manu.data.population import BenchmarkSettings
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__).read("language", required=False).write("out")


def main(options, config) -> str:
    """Write every configuration under --out."""
    settings = BenchmarkSettings(**config["benchmark"])
    rows = generate(options.out, settings, config["forget_ratios"])
    if options.language:
        generate_language(options.out, options.language, config["benchmark"]["seed"])
    people = f"{settings.people} people, {settings.public_figures} public figures"
    return f"{options.out}: {people}, {sum(rows.values())} rows"


if __name__ == "__main__":
    run(main, parser())
