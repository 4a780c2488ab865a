"""A job's model: its checkpoint, loaded with the job's seed, precision and mask."""

from pathlib import Path

from manu.core.diverged import marked
from manu.core.errors import UserError
from manu.fetching.manifest import located, processor_folder
from manu.models.base import VisionLanguageModel
from manu.models.loading import Loading, prepare_torch
from manu.models.registry import vlm_class
from manu.neurons.masks import apply_mask, load_mask


def load_model(config: dict, checkpoint: Path, mask: Path | None = None) -> VisionLanguageModel:
    """Prepare torch with the job's seed, load a checkpoint and apply a mask of pruned neurons, if there is one.

    config: the job's model, seed and `loading` (without it the defaults of `Loading`). checkpoint: a `save_pretrained`
    folder, or a folder with a manifest. Raises UserError when the checkpoint's training diverged.
    """
    if why := marked(checkpoint):
        raise UserError(f"checkpoint {checkpoint}: its training diverged ({why}); there is no model to load")
    prepare_torch(config["seed"])
    loading = Loading(**config.get("loading", {}))
    vlm = vlm_class(config["model"]).load(located(checkpoint), loading, processor_folder(checkpoint))
    if mask:
        apply_mask(load_mask(mask), vlm.mlp_sites(), vlm.linear_sites())
    return vlm
