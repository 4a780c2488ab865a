"""LLaVA-1.5: a CLIP vision encoder, a two-layer projector and a Llama language model (Liu et al. 2024)."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from manu.models.base import VisionLanguageModel
from manu.models.language import load_language
from manu.models.lazy_imports import TransformersClass
from manu.models.sizes import text_config, vision_config
from manu.models.tokenizer import token_id, train_tokenizer

IMAGE = "<image>"


@dataclass(frozen=True)
class LlavaArchitecture:
    """Sizes of a LLaVA trained from scratch (pixels, layers, heads, hidden and MLP widths)."""

    image_size: int = 64
    patch_size: int = 16
    vision_layers: int = 3
    vision_width: int = 96
    vision_mlp: int = 96
    vision_heads: int = 4
    text_layers: int = 4
    text_width: int = 128
    text_mlp: int = 128
    text_heads: int = 4
    positions: int = 1024


class Llava(VisionLanguageModel):
    """LLaVA-1.5 with the prompt layout of its released checkpoints."""

    name = "llava"
    model_class = TransformersClass("LlavaForConditionalGeneration")
    processor_class = TransformersClass("LlavaProcessor")
    architecture_class = LlavaArchitecture
    released_vision_kinds = ("fc1", "fc2")

    @classmethod
    def build(cls, architecture: LlavaArchitecture, texts: Iterable[str], language: Path | None = None) -> "Llava":
        from transformers import CLIPImageProcessorPil, CLIPVisionConfig, LlamaConfig, LlavaConfig

        a = architecture
        special = (IMAGE,)
        pretrained = load_language(language, special) if language else None
        corpus = [*texts, cls.layout("", False, ".")]
        tokenizer = pretrained.tokenizer if pretrained else train_tokenizer(corpus, special)
        vision = vision_config(CLIPVisionConfig, a, projection_dim=a.vision_width)
        text = pretrained.config if pretrained else text_config(LlamaConfig, a, tokenizer)
        patches = (a.image_size // a.patch_size) ** 2
        config = LlavaConfig(
            vision_config=vision,
            text_config=text,
            image_token_index=token_id(tokenizer, IMAGE),
            image_seq_length=patches,
            tie_word_embeddings=text.tie_word_embeddings,
        )
        images = CLIPImageProcessorPil(
            size={"shortest_edge": a.image_size}, crop_size={"height": a.image_size, "width": a.image_size}
        )
        processor = cls.processor_class(
            image_processor=images,
            tokenizer=tokenizer,
            patch_size=a.patch_size,
            vision_feature_select_strategy=config.vision_feature_select_strategy,
            image_token=IMAGE,
            num_additional_image_tokens=1,  # the class token; the default strategy drops it again
        )
        vlm = cls(cls.model_class(config), processor)
        if pretrained:
            pretrained.give(vlm.language_model, vlm.model.lm_head)
        return vlm

    @staticmethod
    def layout(question: str, with_image: bool, system: str | None) -> str:
        head = f"{system} " if system else ""
        return f"{head}USER: {IMAGE}\n{question}\nASSISTANT:" if with_image else f"{head}USER: {question}\nASSISTANT:"

    def expand_images(self, prompt: str) -> str:
        return prompt.replace(IMAGE, IMAGE * self.model.config.image_seq_length)

    @property
    def language_model(self) -> nn.Module:
        return self.model.model.language_model

    @property
    def vision_mlps(self) -> list[nn.Module]:
        tower = self.model.model.vision_tower
        return [layer.mlp for layer in getattr(tower, "vision_model", tower).encoder.layers]

    @property
    def live_vision_layers(self) -> int:
        """How many vision layers the language model's input depends on: all but the last in released checkpoints.

        `vision_feature_layer` is an index into the encoder's hidden states. State 0 is the input of the first layer and
        state k the output of layer k, so -2 takes what enters the last layer, and nothing reads what leaves it."""
        states = range(len(self.vision_mlps) + 1)
        read = self.model.config.vision_feature_layer
        return max(states[layer] for layer in (read if isinstance(read, list) else [read]))


MODEL = Llava
