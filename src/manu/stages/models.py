"""What the stages that run a model share: determinism, loading, and how its weights learn."""

from pathlib import Path

import torch
import transformers

from manu.models.base import Adapter
from manu.models.registry import adapter_class
from manu.training.lora import Lora


def prepare_torch(seed: int) -> None:
    """One thread and one seed, so that the same machine gives the same bytes; library chatter off."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def load_model(config: dict, checkpoint: Path) -> Adapter:
    """Prepare torch with the job's seed and load a checkpoint with the job's adapter."""
    prepare_torch(config["seed"])
    return adapter_class(config["model"]).load(checkpoint)


def base_lora(config: dict, adapter: Adapter) -> Lora | None:
    """How a base model on a pretrained language model learns: that through adapters, vision and connector in full."""
    if "lora" not in config:
        return None
    return Lora(tuple(adapter.language_linears), in_full=tuple(adapter.outside_language), **config["lora"])


def released_lora(config: dict, adapter: Adapter) -> Lora | None:
    """How a job that has `lora` learns: as in the released code the targets are the last names of the language model's
    linear layers, and what has the same name elsewhere is one too (docs/deviations.md#lora)."""
    if "lora" not in config:
        return None
    return Lora(tuple(sorted({name.rpartition(".")[2] for name in adapter.language_linears})), **config["lora"])
