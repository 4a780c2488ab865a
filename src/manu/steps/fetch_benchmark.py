"""Rule fetch_benchmark: a benchmark from the hub or a local folder of its layout, checked, as a manifest."""

from pathlib import Path

from manu.data.reading import check_published
from manu.evaluation.checking import check_benchmark
from manu.fetching.fetch import Remarks, fetch
from manu.fetching.source import Source
from manu.steps.command import StageParser, run

FILES = ("*.parquet",)


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__).write("out")


def main(options, config) -> str:
    """Write the manifest --out."""

    left_out: list[str] = []

    def check(folder: Path) -> Remarks:
        check_published(folder, config["forget_ratios"], config.get("format", "mllmu"))
        left_out.extend(check_benchmark(folder, config["forget_ratios"]))
        return {"left_out": left_out} if left_out else {}

    folder, size = fetch(Source(**config["source"]), "dataset", FILES, options.out, check)
    without = f"; {len(left_out)} questions are left out, each named there" if left_out else ""
    return f"{options.out}: {size / 1e9:.1f} GB in {folder}{without}"


if __name__ == "__main__":
    run(main, parser())
