"""Rule fetch_harness: the dataset of the harness's tasks from the hub or a local folder, checked, as a manifest.

The harness itself and the names of the tasks are checked here as well, before anything is trained.
"""

from pathlib import Path

from manu.core.errors import UserError
from manu.evaluation.harness import check_tasks
from manu.fetching.fetch import fetch
from manu.fetching.source import Source
from manu.steps.command import StageParser, run

CARD = "README.md"  # lists the dataset's configurations and the files of each
FILES = ("*.parquet", CARD)


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__).write("out")


def main(options, config) -> str:
    """Write the manifest --out."""
    check_tasks(config["tasks"])
    folder, size = fetch(Source(**config["source"]), "dataset", FILES, options.out, check)
    return f"{options.out}: {size / 1e9:.1f} GB in {folder}"


def check(folder: Path) -> None:
    """Raise UserError unless a folder looks like a dataset of the hub: its card, and parquet."""
    if not (Path(folder) / CARD).is_file():
        raise UserError(f"{folder}: {CARD} is missing, which lists the dataset's configurations and their files")
    if not any(Path(folder).rglob("*.parquet")):
        raise UserError(f"{folder}: holds no parquet file; needed: the dataset as the hub has it")


if __name__ == "__main__":
    run(main, parser())
