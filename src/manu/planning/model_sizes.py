"""A model's sizes, counted on the model that transformers builds on torch's meta device, without weights."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

from manu.core.errors import UserError
from manu.fetching.manifest import MANIFEST, located
from manu.models.base import VisionLanguageModel, read_architecture
from manu.models.language import language_path
from manu.models.registry import vlm_class
from manu.models.sizes import square_side
from manu.planning.published import CHECKPOINTS
from manu.study.model import Model, Source


@dataclass(frozen=True)
class ModelSizes:
    """Numbers of parameters, by what they are applied to, and widths of states.

    parameters: all of them. vision: applied to every patch (the vision encoder and what follows it patch by patch);
    connector: applied to every picture token, between vision encoder and language model; decoder: the layers of the
    language model; head: the matrix of the logits. patches: of a picture; picture_tokens: of a picture in a prompt;
    picture_bytes: of a processed picture, float32; key_values: width of a layer's keys. adapted, adapted_in_base:
    inputs plus outputs of the linear layers with a low-rank adapter. linear_rows: outputs of all linear layers of the
    MLPs; released_rows: the same, equal layers counted once. source: where these numbers are from.
    """

    source: str
    parameters: int
    vision: int
    connector: int
    decoder: int
    head: int
    vision_layers: int
    vision_width: int
    vision_mlp: int
    patches: int
    picture_tokens: int
    layers: int
    width: int
    mlp: int
    key_values: int
    vocabulary: int
    neurons: int
    adapted: int
    adapted_in_base: int
    released_rows: int
    picture_bytes: int
    stored_bytes: int = 4
    linear_rows: int = 0


def measured_sizes(vlm: VisionLanguageModel, source: str, picture_tokens: int, stored_bytes: int = 4) -> ModelSizes:
    """The sizes of a model, whether or not its weights are in memory (on the meta device they are not)."""
    model: Any = vlm.model
    language: Any = vlm.language_model
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    outside = vlm.outside_language
    per_patch = sum(sizes[name] for name in outside if any(part in name for part in vlm.per_patch))
    head, embeddings = model.get_output_embeddings().weight, language.get_input_embeddings().weight
    text, vision = model.config.text_config, model.config.vision_config
    heads = text.num_attention_heads
    sites = vlm.mlp_sites()
    first = next(site for site in sites if site.part == "vision").first
    linears = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    targets = {name.rpartition(".")[2] for name in vlm.language_linears}

    def ends(names: Iterable[str]) -> int:
        return sum(linears[name].in_features + linears[name].out_features for name in names)

    return ModelSizes(
        source=source,
        parameters=sum(sizes.values()),
        vision=per_patch,
        connector=sum(sizes[name] for name in outside) - per_patch,
        decoder=sum(parameter.numel() for parameter in language.parameters()) - embeddings.numel(),
        head=head.numel(),
        vision_layers=len(vlm.vision_mlps),
        vision_width=first[0].in_features,
        vision_mlp=first[0].out_features,
        patches=(vlm.picture_side // square_side(vision.patch_size)) ** 2,
        picture_tokens=picture_tokens,
        layers=len(vlm.language_mlps),
        width=text.hidden_size,
        mlp=text.intermediate_size,
        key_values=text.hidden_size // heads * (text.num_key_value_heads or heads),
        vocabulary=head.shape[0],
        neurons=sum(site.width for site in sites),
        adapted=ends(name for name in linears if name.rpartition(".")[2] in targets),
        adapted_in_base=ends(vlm.language_linears),
        released_rows=sum({site.name.rsplit(".", 1)[0]: site.width for site in vlm.linear_sites()}.values()),
        picture_bytes=4 * vlm.picture_numbers,
        stored_bytes=stored_bytes,
        linear_rows=sum(site.width for site in vlm.linear_sites()),
    )


def built_model(name: str, model: Model, texts: Iterable[str]) -> VisionLanguageModel:
    """A model that the study builds itself, as its base stage does, with a tokenizer but without weights.

    texts: what the tokenizer is trained on. A pretrained language model is loaded for its sizes.
    """
    cls = vlm_class(name)
    architecture = read_architecture(cls.architecture_class, model.architecture, "architecture")
    if model.language_model:
        language = language_path(model.language_model.model_dump(exclude_none=True), f"models.{name}.language_model")
        return cls.build(architecture, texts, language)
    with torch.device("meta"):
        return cls.build(architecture, texts)


def fetched_sizes(name: str, start: Source, manifest_folder: Path) -> ModelSizes:
    """The sizes of a checkpoint that the study fetches: from its config.json if that is here, else as published.

    manifest_folder: where the study keeps the manifest of the files that it fetched. Raises UserError if there is
    neither.
    """
    cls = vlm_class(name)
    published = CHECKPOINTS.get(name)
    folder = Path(start.path) if start.path else manifest_folder
    if start.path or (folder / MANIFEST).is_file():
        folder = located(folder)
        if not (folder / "config.json").is_file():
            raise UserError(f"{folder}/config.json is missing; needed: a save_pretrained folder")
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        vlm = cls(_meta_model(cls, config), cls.load_processor(folder))
        stored = (config.dtype or torch.float32).itemsize
        return measured_sizes(vlm, f"{folder}/config.json", picture_tokens(vlm), stored)
    if published is None:
        raise UserError(f"model '{name}': no config.json of {start.repo} is here, and no published sizes are known")
    given = {key: value for key, value in published.items() if key.endswith("_config")}
    config_class: Any = cls.model_class.config_class
    vlm = cls(_meta_model(cls, config_class(**given)), None)
    source = f"published: {published['source']}, which is not here"
    return measured_sizes(vlm, source, published["picture_tokens"], published["stored_bytes"])


def picture_tokens(vlm: VisionLanguageModel) -> int:
    """By how many tokens a prompt is longer with a picture."""
    return len(vlm.prompt_ids("?", with_image=True)) - len(vlm.prompt_ids("?", with_image=False))


def _meta_model(cls: type[VisionLanguageModel], config: PretrainedConfig) -> PreTrainedModel:
    with torch.device("meta"):
        return cls.model_class(config)
