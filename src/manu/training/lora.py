"""Low-rank adapters (LoRA, Hu et al. 2022), as the released code trains: they learn in place of the weights, and are
merged into them at the end, so that what is saved is a plain model."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from manu.models.base import VisionLanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER = "default"  # peft's name for the only adapter of a model
Masks = Mapping[str, Tensor]


@dataclass(frozen=True)
class Lora:
    """targets: linear layers that get an adapter, by name in the model or by the last parts of it (as peft matches
    them); in_full: names of parameters that learn themselves, beside the adapters. The weight becomes
    W + alpha / rank * B A with A [rank, inputs], gaussian at first, and B [outputs, rank], zero at first; dropout: of
    the adapters' inputs, a fraction."""

    targets: tuple[str, ...]
    rank: int = 16
    alpha: float = 16.0
    dropout: float = 0.05
    in_full: tuple[str, ...] = ()


def base_lora(config: dict, vlm: VisionLanguageModel) -> Lora | None:
    """The adapters of a base model on a pretrained language model; None without `lora` in the job's configuration.

    The language model learns through adapters, the vision encoder and the connector in full.
    """
    if "lora" not in config:
        return None
    return Lora(tuple(vlm.language_linears), in_full=tuple(vlm.outside_language), **config["lora"])


def released_lora(config: dict, vlm: VisionLanguageModel) -> Lora | None:
    """The adapters of the released code; None without `lora` in the job's configuration.

    The targets are the last names of the language model's linear layers, so layers of the same name in the vision
    encoder get an adapter, too (docs/deviations.md#lora).
    """
    if "lora" not in config:
        return None
    return Lora(tuple(sorted({name.rpartition(".")[2] for name in vlm.language_linears})), **config["lora"])


@contextmanager
def adapted(model: "PreTrainedModel", lora: Lora | None, masks: Masks | None = None) -> Iterator[Masks | None]:
    """Inside the block the adapters of `lora` are the parameters that learn; after it they are merged. None: no change.

    masks: the weights that may change, by parameter name (None: all); yields the masks of what learns inside the block.
    A row or column of a weight that must stay gets no part of an adapter, so that what is pruned is gone during the
    training too. A pattern of single weights has no low rank: those are set back after the merge
    (docs/deviations.md#lora).
    """
    if lora is None:
        yield masks
        return
    from peft import LoraConfig, get_peft_model  # slow to import, and needed here alone
    from peft.tuners.lora import LoraLayer

    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets),
        init_lora_weights="gaussian",
    )
    with warnings.catch_warnings():  # peft asks transformers by an older name
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        wrapped = get_peft_model(model, settings)
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    weights = dict(model.named_parameters())
    for name in lora.in_full:
        weights[name].requires_grad_(True)
    held = None if masks is None else _masks_of_adapters(layers, masks)
    before = {name: layer.get_base_layer().weight.clone() for name, layer in layers.items() if masks is not None}
    try:
        yield held
    finally:
        wrapped.merge_and_unload()
        for parameter in learning:
            parameter.requires_grad_(True)
        with torch.no_grad():
            for name, old in before.items():
                weight = layers[name].get_base_layer().weight
                weight.copy_(torch.where(masks[f"{name}.weight"], weight, old) if f"{name}.weight" in masks else old)


@torch.no_grad()
def _masks_of_adapters(layers: Mapping[str, nn.Module], masks: Masks) -> dict[str, Tensor]:
    """Masks of the adapters' parameters, from those of the weights; a layer without a mask has none.

    A, which starts at random, is set to zero in the columns where nothing may change.
    """
    found = {}
    for name, layer in layers.items():
        if f"{name}.weight" in masks:
            free = masks[f"{name}.weight"]
            down, up = (part[ADAPTER].weight for part in (layer.lora_A, layer.lora_B))
            columns, rows = free.any(0).expand_as(down), free.any(1)[:, None].expand_as(up)
            down.mul_(columns)
            found |= {f"{name}.lora_A.{ADAPTER}.weight": columns, f"{name}.lora_B.{ADAPTER}.weight": rows}
    return found
