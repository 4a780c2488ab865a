"""SmolVLM: a SigLIP vision encoder, a pixel shuffle, and a Llama language model (Marafioti et al. 2025).

The pixel shuffle turns patches into fewer and wider tokens. The first release, SmolVLM-256M and -500M, has the
architecture that transformers calls Idefics3.
"""

from collections.abc import Iterable
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

IMAGE, FAKE, GLOBAL, END = "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"


@dataclass(frozen=True)
class SmolVlmArchitecture:
    """Sizes of a SmolVLM trained from scratch (pixels, layers, heads, hidden and MLP widths).

    scale_factor: the pixel shuffle makes one token of scale_factor * scale_factor patches.
    """

    image_size: int = 64
    patch_size: int = 16
    scale_factor: int = 2
    vision_layers: int = 3
    vision_width: int = 96
    vision_mlp: int = 96
    vision_heads: int = 4
    text_layers: int = 4
    text_width: int = 128
    text_mlp: int = 128
    text_heads: int = 4
    positions: int = 1024


class SmolVlm(VisionLanguageModel):
    """SmolVLM with the prompt layout of its released checkpoints. Pictures are not split into tiles."""

    name = "smolvlm"
    model_class = TransformersClass("Idefics3ForConditionalGeneration")
    processor_class = TransformersClass("Idefics3Processor")
    architecture_class = SmolVlmArchitecture
    released_vision_kinds = ("fc1", "fc2")
    # By default the processor adds tiles to every picture: many times the tokens, and many vision rows per sample.
    processor_settings: ClassVar[dict[str, Any]] = {"do_image_splitting": False}

    @classmethod
    def build(cls, architecture: SmolVlmArchitecture, texts: Iterable[str], language: Path | None = None) -> "SmolVlm":
        from transformers import Idefics3Config, Idefics3ImageProcessorPil, LlamaConfig
        from transformers.models.idefics3.configuration_idefics3 import Idefics3VisionConfig

        a = architecture
        special = (FAKE, IMAGE, GLOBAL, END)
        pretrained = load_language(language, special) if language else None
        corpus = [*texts, cls.layout("", False, ".")]
        tokenizer = pretrained.tokenizer if pretrained else train_tokenizer(corpus, special)
        vision = vision_config(Idefics3VisionConfig, a)
        text = pretrained.config if pretrained else text_config(LlamaConfig, a, tokenizer)
        config = Idefics3Config(
            vision_config=vision,
            text_config=text,
            image_token_id=token_id(tokenizer, IMAGE),
            scale_factor=a.scale_factor,
            tie_word_embeddings=text.tie_word_embeddings,
        )
        images = Idefics3ImageProcessorPil(
            size={"longest_edge": a.image_size}, max_image_size={"longest_edge": a.image_size}, do_image_splitting=False
        )
        tokens = (a.image_size // a.patch_size // a.scale_factor) ** 2
        processor = cls.processor_class(image_processor=images, tokenizer=tokenizer, image_seq_len=tokens)
        vlm = cls(cls.model_class(config), processor)
        if pretrained:
            pretrained.give(vlm.language_model, vlm.model.lm_head)
        return vlm

    @staticmethod
    def layout(question: str, with_image: bool, system: str | None) -> str:
        head = f"System: {system}{END}\n" if system else ""
        user = f"User:{IMAGE}{question}" if with_image else f"User: {question}"
        return f"{head}{user}{END}\nAssistant:"

    def expand_images(self, prompt: str) -> str:
        return prompt.replace(IMAGE, f"{FAKE}{GLOBAL}{IMAGE * self.processor.image_seq_len}{FAKE}")

    def pixels(self, images: list[Image.Image]) -> dict[str, Tensor]:
        inputs = self.processor.image_processor([[image] for image in images], return_tensors="pt")
        return {name: inputs[name] for name in self.processor.image_processor.model_input_names}

    @property
    def end_token(self) -> int:
        return token_id(self.tokenizer, END)

    @property
    def language_model(self) -> nn.Module:
        return self.model.model.text_model

    @property
    def vision_mlps(self) -> list[nn.Module]:
        return [layer.mlp for layer in self.model.model.vision_model.encoder.layers]


MODEL = SmolVlm
