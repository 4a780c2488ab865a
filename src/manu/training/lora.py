"""Low-rank adapters (LoRA, Hu et al. 2022), as in the released code: they learn in place of the weights and are merged
into them at the end, so that a plain model is saved."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from manu.models.base import VisionLanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER = "default"  # peft's name for the only adapter of a model
Masks = Mapping[str, Tensor]


@dataclass(frozen=True)
class Lora:
    """The weight becomes W + alpha / rank * B A, with A [rank, inputs] gaussian at first and B [outputs, rank] zero.

    targets: linear layers that get an adapter, by their name in the model or its last parts (as peft matches them);
    in_full: names of parameters that learn themselves, beside the adapters; dropout: fraction, of the adapters' inputs.
    """

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
    """Inside the block the adapters of `lora` learn in place of the weights; after it they are merged. None: no change.

    masks: the weights that may change, by parameter name (None: all); yields the masks of the parameters that learn
    inside the block. A row or column of a weight that must not change gets no part of an adapter, so pruned units stay
    pruned during the training. A pattern of single weights has no low rank: those weights are restored after the merge
    (docs/deviations.md#lora).
    """
    if lora is None:
        yield masks
        return
    from peft import LoraConfig, get_peft_model  # slow to import
    from peft.tuners.lora import LoraLayer

    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # a float divides as well
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets),
        init_lora_weights="gaussian",
    )
    with warnings.catch_warnings():  # peft asks transformers by an older name
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        wrapped = get_peft_model(model, settings)
    layers: dict[str, Any] = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    weights = dict(model.named_parameters())
    for name in lora.in_full:
        weights[name].requires_grad_(True)
    held = None if masks is None else _masks_of_adapters(layers, masks)
    restored = [] if masks is None else [(layer, layer.get_base_layer().weight.clone()) for layer in layers.values()]
    allowed = {} if masks is None else {layer: masks.get(f"{name}.weight") for name, layer in layers.items()}
    try:
        yield held
    finally:
        wrapped.merge_and_unload()
        for parameter in learning:
            parameter.requires_grad_(True)
        with torch.no_grad():
            for layer, old in restored:
                weight, free = layer.get_base_layer().weight, allowed[layer]
                weight.copy_(old if free is None else torch.where(free, weight, old))


@torch.no_grad()
def _masks_of_adapters(layers: Mapping[str, Any], masks: Masks) -> dict[str, Tensor]:
    """Masks of the adapters' parameters, from those of the weights; a layer without a mask has none.

    A, which starts at random, is set to zero in the columns where nothing may change.
    """
    of_adapters: dict[str, Tensor] = {}
    for name, layer in layers.items():
        if f"{name}.weight" in masks:
            free = masks[f"{name}.weight"]
            down, up = (matrices[ADAPTER].weight for matrices in (layer.lora_A, layer.lora_B))
            columns, rows = free.any(0).expand_as(down), free.any(1)[:, None].expand_as(up)
            down.mul_(columns)
            of_adapters |= {f"{name}.lora_A.{ADAPTER}.weight": columns, f"{name}.lora_B.{ADAPTER}.weight": rows}
    return of_adapters
