"""Rule fetch_model: a pretrained or fine-tuned checkpoint from the hub or a local folder, checked, as a manifest."""

from functools import partial

from manu.evaluation.trying import try_checkpoint
from manu.fetching.fetch import fetch
from manu.fetching.source import Source
from manu.models.registry import vlm_class
from manu.steps.command import StageParser, run

FILES = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")  # weights, settings, tokenizers; nothing pickled


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__).write("out")


def main(options, config) -> str:
    """Write the manifest --out."""
    check = partial(try_checkpoint, vlm_class(config["model"]))
    folder, size = fetch(Source(**config["source"]), "model", FILES, options.out, check)
    return f"{options.out}: {size / 1e9:.1f} GB in {folder}"


if __name__ == "__main__":
    run(main, parser())
