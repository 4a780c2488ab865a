"""Idefics2: a SigLIP vision encoder, a perceiver resampler and a Mistral language model (Laurençon et al. 2024)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image
from torch import Tensor, nn

from manu.models.base import VisionLanguageModel
from manu.models.language import load_language
from manu.models.lazy_imports import TransformersClass
from manu.models.sizes import text_config, vision_config
from manu.models.tokenizer import token_id, train_tokenizer

IMAGE, FAKE, END = "<image>", "<fake_token_around_image>", "<end_of_utterance>"


@dataclass(frozen=True)
class Idefics2Architecture:
    """Sizes of an Idefics2 trained from scratch (pixels, layers, heads, latents, hidden and MLP widths)."""

    image_size: int = 64
    patch_size: int = 16
    vision_layers: int = 3
    vision_width: int = 96
    vision_mlp: int = 192
    vision_heads: int = 4
    latents: int = 16
    perceiver_layers: int = 1
    text_layers: int = 4
    text_width: int = 128
    text_mlp: int = 256
    text_heads: int = 4
    text_key_value_heads: int = 4
    positions: int = 1024


class Idefics2(VisionLanguageModel):
    """Idefics2 with the prompt layout of its released checkpoints."""

    name = "idefics2"
    model_class = TransformersClass("Idefics2ForConditionalGeneration")
    processor_class = TransformersClass("Idefics2Processor")
    architecture_class = Idefics2Architecture
    released_vision_kinds = ("fc1",)
    per_patch = (".vision_", "modality_projection")
    # By default the processor adds four crops to every picture: five times the tokens, and five vision rows per sample.
    processor_settings: ClassVar[dict[str, Any]] = {"do_image_splitting": False}

    @classmethod
    def build(
        cls, architecture: Idefics2Architecture, texts: Iterable[str], language: Path | None = None
    ) -> "Idefics2":
        from transformers import Idefics2Config, Idefics2ImageProcessorPil, MistralConfig
        from transformers.models.idefics2.configuration_idefics2 import Idefics2PerceiverConfig, Idefics2VisionConfig

        a = architecture
        special = (FAKE, IMAGE, END)
        pretrained = load_language(language, special) if language else None
        corpus = [*texts, cls.layout("", False, ".")]
        tokenizer = pretrained.tokenizer if pretrained else train_tokenizer(corpus, special)
        vision = vision_config(Idefics2VisionConfig, a)
        text = (
            pretrained.config
            if pretrained
            else text_config(
                MistralConfig,
                a,
                tokenizer,
                num_key_value_heads=a.text_key_value_heads,
                head_dim=a.text_width // a.text_heads,
                sliding_window=None,
                rms_norm_eps=1e-5,
            )
        )
        perceiver = Idefics2PerceiverConfig(
            hidden_size=text.hidden_size,
            resampler_n_latents=a.latents,
            resampler_depth=a.perceiver_layers,
            resampler_n_heads=text.num_attention_heads,
            resampler_head_dim=text.head_dim,
            num_key_value_heads=text.num_key_value_heads,
            initializer_range=text.initializer_range,
        )
        config = Idefics2Config(
            vision_config=vision,
            perceiver_config=perceiver,
            text_config=text,
            image_token_id=token_id(tokenizer, IMAGE),
            tie_word_embeddings=text.tie_word_embeddings,
        )
        images = Idefics2ImageProcessorPil(
            size={"longest_edge": a.image_size, "shortest_edge": a.image_size}, do_image_splitting=False
        )
        processor = cls.processor_class(image_processor=images, tokenizer=tokenizer, image_seq_len=a.latents)
        model = cls.model_class(config)
        # transformers initialises all latents to 1; equal latents get equal gradients and stay equal.
        nn.init.normal_(model.model.connector.perceiver_resampler.latents, std=perceiver.initializer_range)
        vlm = cls(model, processor)
        if pretrained:
            pretrained.give(vlm.language_model, model.lm_head)
        return vlm

    @staticmethod
    def layout(question: str, with_image: bool, system: str | None) -> str:
        head = f"System: {system}{END}\n" if system else ""
        user = f"User:{IMAGE}{question}" if with_image else f"User: {question}"
        return f"{head}{user}{END}\nAssistant:"

    def expand_images(self, prompt: str) -> str:
        block = f"{FAKE}{IMAGE * self.processor.image_seq_len}{FAKE}"
        # The processor puts a space between the closing token of a picture and the next word.
        return re.sub(rf"{re.escape(FAKE)}(?=[^\s<])", f"{FAKE} ", prompt.replace(IMAGE, block))

    def pixels(self, images: list[Image.Image]) -> dict[str, Tensor]:
        return dict(self.processor.image_processor([[image] for image in images], return_tensors="pt"))

    def vision_mask(self, batch: Mapping[str, Tensor]) -> Tensor | None:
        """Patches that the picture fills: the model's own rule, which drops those of its edge that padding shares.

        Smaller pictures of a batch are padded to the largest.
        """
        if "pixel_attention_mask" not in batch:
            return None
        size = self.model.config.vision_config.patch_size
        pixels = batch["pixel_attention_mask"].flatten(0, 1)  # [pictures, height, width]
        return pixels.unfold(1, size, size).unfold(2, size, size).bool().all(-1).all(-1).flatten(1)

    @property
    def end_token(self) -> int:
        return token_id(self.tokenizer, END)

    @property
    def language_model(self) -> nn.Module:
        return self.model.model.text_model

    @property
    def vision_mlps(self) -> list[nn.Module]:
        return [layer.mlp for layer in self.model.model.vision_model.encoder.layers]


MODEL = Idefics2
