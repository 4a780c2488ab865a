"""Try a checkpoint on one question, when it is fetched: what would end a run after hours is told before it begins."""

import io
from pathlib import Path

from PIL import Image

from manu.core.errors import UserError
from manu.core.words import MULTIMODAL, TEXT
from manu.evaluation.asking import AskingSettings, ask
from manu.evaluation.questions import AskedQuestion
from manu.models.base import VisionLanguageModel
from manu.models.loading import Loading, prepare_torch

QUESTION = "What is this?"


def try_checkpoint(cls: type[VisionLanguageModel], folder: Path, processor: Path | None = None) -> None:
    """Load a checkpoint, and ask it a question with a grey picture and in plain text.

    processor: the folder of its processor, if not the same. Raises UserError where that fails. Takes as much memory as
    the weights in 16 bits.
    """
    cls.check(folder)
    buffer = io.BytesIO()
    Image.new("RGB", (48, 64), "grey").save(buffer, format="PNG")
    options = dict(zip("ABCD", ("one", "two", "three", "four"), strict=True))
    try:
        prepare_torch(0)
        vlm = cls.load(folder, Loading(precision="bfloat16"), processor)
        for image in (buffer.getvalue(), None):
            ask(vlm, [_question(image, options)], AskingSettings(max_new_tokens=2))
    except UserError:
        raise
    except Exception as error:  # whatever a library stumbles over
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise UserError(
            f"checkpoint {folder}: cannot answer a question ({type(error).__name__}: {first}); needed: configuration, "
            "processor and weights that fit together"
        ) from error


def _question(image: bytes | None, options: dict[str, str]) -> AskedQuestion:
    modality = TEXT if image is None else MULTIMODAL
    return AskedQuestion(modality, "classification", "nobody", "try", QUESTION, options["A"], options, image)
