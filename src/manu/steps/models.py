"""What the stages that run a model share: determinism, loading, and how its weights learn."""

import os
from pathlib import Path

import torch
import transformers

from manu.core.diverged import marked
from manu.core.errors import UserError
from manu.fetching.manifest import located
from manu.models.base import VisionLanguageModel
from manu.models.loading import Loading
from manu.models.registry import vlm_class
from manu.neurons.masks import apply_mask, load_mask
from manu.training.lora import Lora


def prepare_torch(seed: int) -> None:
    """One thread and one seed, so that the same machine gives the same bytes; library chatter off."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic algorithms on a GPU need
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def load_model(config: dict, checkpoint: Path) -> VisionLanguageModel:
    """Prepare torch with the job's seed and load a checkpoint with the job's adapter.

    config: model, seed, and how to load it (`loading`; without it as `Loading` does). checkpoint: a `save_pretrained`
    folder, or one with a manifest. Raises UserError where its training diverged.
    """
    if why := marked(checkpoint):
        raise UserError(f"checkpoint {checkpoint}: its training diverged ({why}); there is no model to load")
    prepare_torch(config["seed"])
    return vlm_class(config["model"]).load(located(checkpoint), Loading(**config.get("loading", {})))


def load_pruned(config: dict, checkpoint: Path, mask: Path | None) -> VisionLanguageModel:
    """As `load_model` under a mask of pruned neurons, if there is one."""
    vlm = load_model(config, checkpoint)
    if mask:
        apply_mask(load_mask(mask), vlm.mlp_sites(), vlm.linear_sites())
    return vlm


def base_lora(config: dict, vlm: VisionLanguageModel) -> Lora | None:
    """How a base model on a pretrained language model learns: that through adapters, vision and connector in full."""
    if "lora" not in config:
        return None
    return Lora(tuple(vlm.language_linears), in_full=tuple(vlm.outside_language), **config["lora"])


def released_lora(config: dict, vlm: VisionLanguageModel) -> Lora | None:
    """How a job that has `lora` learns: as in the released code the targets are the last names of the language model's
    linear layers, and what has the same name elsewhere is one too (docs/deviations.md#lora)."""
    if "lora" not in config:
        return None
    return Lora(tuple(sorted({name.rpartition(".")[2] for name in vlm.language_linears})), **config["lora"])
