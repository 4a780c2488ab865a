"""Rule fetch_benchmark: a benchmark from the hub or a local folder of its layout, checked, as a manifest."""

from manu.data.reading import check_published
from manu.evaluation.checking import check_benchmark
from manu.fetching.fetch import fetch
from manu.fetching.source import Source
from manu.steps.command import StageParser, run

FILES = ("*.parquet",)


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__).write("out")


def main(options, config) -> str:
    """Write the manifest --out."""

    def check(folder):
        check_published(folder, config["forget_ratios"], config.get("format", "mllmu"))
        check_benchmark(folder, config["forget_ratios"])

    folder, size = fetch(Source(**config["source"]), "dataset", FILES, options.out, check)
    return f"{options.out}: {size / 1e9:.1f} GB in {folder}"


if __name__ == "__main__":
    run(main, parser())
