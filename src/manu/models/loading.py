"""How a checkpoint is brought into memory: precision, place, and what training may recompute."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from manu.core.errors import UserError

if TYPE_CHECKING:  # late.py says why
    from transformers import PreTrainedModel

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class Loading:
    """precision: of all weights, a key of PRECISIONS, whatever the checkpoint has; gradient_checkpointing: training
    computes activations again instead of keeping them; device_map: "none" puts the model on the GPU if there is one,
    "auto" spreads it over all GPUs and, where they do not suffice, the memory."""

    precision: str = "float32"
    gradient_checkpointing: bool = False
    device_map: str = "none"


def load_pretrained(cls: "type[PreTrainedModel]", folder: Path, loading: Loading) -> "PreTrainedModel":
    """The model of a checked folder, in evaluation mode. Raises UserError when weights of the model are not there, or are
    of another shape."""
    spread = None if loading.device_map == "none" else loading.device_map
    model, info = cls.from_pretrained(
        folder,
        dtype=PRECISIONS[loading.precision],
        device_map=spread,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are told below
    )
    if missing := info["missing_keys"]:  # transformers would go on with random weights
        raise UserError(f"checkpoint {folder}: misses {len(missing)} weights, such as {min(missing)}")
    for name, stored, needed in sorted(info["mismatched_keys"]):
        raise UserError(
            f"checkpoint {folder}: {name} has shape {tuple(stored)}; by config.json needed: {tuple(needed)}"
        )
    if not spread:
        place(model)
    if loading.gradient_checkpointing:
        model.activation_checkpointing_enable()
    return model.eval()


def place(model: "PreTrainedModel") -> None:
    """Put a model on the GPU, if there is one."""
    if torch.cuda.is_available():
        model.to("cuda")


def check_checkpoint(cls: "type[PreTrainedModel]", folder: Path) -> None:
    """Raise UserError unless `folder` is a complete `save_pretrained` folder of this class, in one or several
    safetensors files."""
    folder = Path(folder)
    if (folder / INDEX).is_file():
        names = sorted(set(_json(folder / INDEX).get("weight_map", {}).values()))
    else:
        names = [WEIGHTS]
    for name in (*names, "config.json"):
        if not (folder / name).is_file():
            needed = "a complete save_pretrained folder in safetensors"
            raise UserError(f"checkpoint {folder}: {name} is missing; needed: {needed}")
    for name in names:
        try:
            with safe_open(folder / name, framework="pt"):
                pass
        except (OSError, SafetensorError) as error:
            raise UserError(
                f"checkpoint {folder}: {name} is no whole safetensors file ({error}); copy it again"
            ) from error
    found = _json(folder / "config.json").get("model_type")
    if found != (needed := cls.config_class.model_type):
        raise UserError(f"checkpoint {folder}: holds a model of type {found!r}; needed: {needed!r}")


def _json(file: Path) -> dict:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{file}: is not a JSON mapping ({error}); needed: as save_pretrained writes it") from error
