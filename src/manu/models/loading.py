"""Load a checkpoint into memory: its precision, its device, and gradient checkpointing."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from manu.core.arithmetic import use_portable_products
from manu.core.errors import UserError

if TYPE_CHECKING:  # importing it takes seconds: manu.models.lazy_imports
    from transformers import PreTrainedModel

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PROCESSOR_FILES = (
    "processor_config.json",
    "preprocessor_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "tokenizer.model",
)


@dataclass(frozen=True)
class Loading:
    """How to load a checkpoint.

    precision: of all weights, a key of PRECISIONS; it overrides the checkpoint's. gradient_checkpointing: the backward
    pass recomputes activations instead of keeping them. device_map: "none" puts the model on the GPU if there is one;
    "auto" spreads it over all GPUs, and over main memory if they do not suffice.
    """

    precision: str = "float32"
    gradient_checkpointing: bool = False
    device_map: str = "none"


def prepare_torch(seed: int) -> None:
    """Make torch deterministic, with one thread and this seed, so that a machine repeats its own bytes, and on a CPU
    with portable arithmetic; library chatter off."""
    import transformers  # takes seconds: manu.models.lazy_imports

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic algorithms on a GPU need it
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    use_portable_products()
    torch.manual_seed(seed)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def load_pretrained(cls: "type[PreTrainedModel]", folder: Path, loading: Loading) -> "PreTrainedModel":
    """The model of a checkpoint that `check_checkpoint` accepts, in evaluation mode; it returns its outputs by name and
    no others, whatever the checkpoint's configuration asks for.

    Raises UserError when a weight is missing or has the wrong shape.
    """
    from transformers import GenerationConfig, PretrainedConfig  # takes seconds: manu.models.lazy_imports

    device_map = None if loading.device_map == "none" else loading.device_map
    loaded: Any = cls.from_pretrained(
        folder,
        dtype=PRECISIONS[loading.precision],
        device_map=device_map,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        generation_config=GenerationConfig(),  # in place of the folder's, which could forbid or favour words
        ignore_mismatched_sizes=True,  # reported below
    )
    model, info = loaded
    if missing := info["missing_keys"]:  # transformers would initialise them randomly
        raise UserError(f"checkpoint {folder}: {len(missing)} weights are missing, such as {min(missing)}")
    if unknown := info["unexpected_keys"]:
        raise UserError(
            f"checkpoint {folder}: {len(unknown)} weights belong to no part of the model that config.json describes, "
            f"such as {min(unknown)}; needed: the weights of this architecture and no others"
        )
    for name, stored, needed in sorted(info["mismatched_keys"]):
        raise UserError(
            f"checkpoint {folder}: {name} has shape {tuple(stored)}; needed by config.json: {tuple(needed)}"
        )
    for part in model.modules():
        if isinstance(config := getattr(part, "config", None), PretrainedConfig):
            config.return_dict, config.output_attentions, config.output_hidden_states = True, False, False
    if not device_map:
        place(model)
    if loading.gradient_checkpointing:
        model.activation_checkpointing_enable()
    return model.eval()


def place(model: nn.Module) -> None:
    """Move a model to the GPU, if there is one."""
    if torch.cuda.is_available():
        model.to("cuda")


def check_checkpoint(cls: "type[PreTrainedModel]", folder: Path) -> None:
    """Raise UserError unless `folder` is a complete `save_pretrained` folder of this class.

    The weights are in one or several safetensors files. The tensors themselves are not read.
    """
    folder = Path(folder)
    if adapters := sorted(file.name for file in folder.glob("adapter_*")):
        raise UserError(
            f"checkpoint {folder}: {adapters[0]} beside the model's own weights would be applied to them again; "
            "needed: merged weights alone (take the adapter files out of the folder)"
        )
    if (folder / INDEX).is_file():
        names = sorted(set(_json(folder / INDEX).get("weight_map", {}).values()))
    else:
        names = [WEIGHTS]
    for name in names:
        _check_file(folder, name)
    for name in names:
        try:
            with safe_open(folder / name, framework="pt"):
                pass
        except (OSError, SafetensorError) as error:
            raise UserError(
                f"checkpoint {folder}: {name} is not a complete safetensors file ({error}); copy it again"
            ) from error
    check_settings(cls, folder)


def check_settings(cls: "type[PreTrainedModel]", folder: Path) -> None:
    """Raise UserError unless the config.json of `folder` is that of this class."""
    _check_file(folder, "config.json")
    model_type = _json(folder / "config.json").get("model_type")
    if cls.config_class and model_type != (needed := cls.config_class.model_type):
        raise UserError(f"checkpoint {folder}: holds a model of type {model_type!r}; needed: {needed!r}")


def has_processor(folder: Path) -> bool:
    """Whether a checkpoint has any file of a processor; the published vanilla models have none."""
    return any((Path(folder) / name).is_file() for name in PROCESSOR_FILES)


def _check_file(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        needed = "a complete save_pretrained folder in safetensors"
        raise UserError(f"checkpoint {folder}: {name} is missing; needed: {needed}")


def _json(file: Path) -> dict:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{file}: is not a JSON object ({error}); needed: a file written by save_pretrained") from error
