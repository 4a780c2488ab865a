"""What the stages that run a model share: determinism, loading, and the people of a forget ratio."""

from pathlib import Path

import torch
import transformers

from manu.models.base import Adapter
from manu.models.registry import adapter_class


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
