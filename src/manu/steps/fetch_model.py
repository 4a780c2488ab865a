"""Rule fetch_model: a pretrained or fine-tuned checkpoint from the hub or a local folder, checked, as a manifest.

--processor: a checkpoint whose processor serves one that has none, as the published vanilla models have none.
"""

from pathlib import Path

from manu.evaluation.trying import try_checkpoint
from manu.fetching.fetch import Remarks, fetch
from manu.fetching.manifest import PROCESSOR, processor_folder
from manu.fetching.source import Source
from manu.models.loading import has_processor
from manu.models.registry import vlm_class
from manu.steps.command import StageParser, run

SETTINGS = ("*.json", "*.model", "*.txt", "*.jinja")  # of model, tokenizer and image processor; nothing pickled
FILES = ("*.safetensors", *SETTINGS)


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__).read("processor", required=False).write("out")


def main(options, config) -> str:
    """Write the manifest --out. The processor is checked before the weights are downloaded."""
    cls = vlm_class(config["model"])

    def processor_of(folder: Path) -> Path:
        own = has_processor(folder) or not options.processor
        return folder if own else processor_folder(options.processor)

    def check_settings(folder: Path) -> None:
        cls.check_settings(folder)
        cls.load_processor(processor_of(folder))

    def check(folder: Path) -> Remarks:
        processor = processor_of(folder)
        try_checkpoint(cls, folder, processor)
        return {} if processor == folder else {PROCESSOR: str(processor)}

    source = Source(**config["source"])
    folder, size = fetch(source, "model", FILES, options.out, check, (SETTINGS, check_settings))
    return f"{options.out}: {size / 1e9:.1f} GB in {folder}"


if __name__ == "__main__":
    run(main, parser())
