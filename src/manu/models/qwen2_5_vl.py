"""Qwen2.5-VL: a vision encoder with windowed attention and gated MLPs, a patch merger, and a Qwen2.5 language model.

The language model has rotary positions in three dimensions: time, rows and columns (Bai et al. 2025).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor, nn
from transformers import Qwen2_5_VLConfig
from transformers.conversion_mapping import get_checkpoint_conversion_mapping, register_checkpoint_conversion_mapping
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as modeling
from transformers.models.qwen2_5_vl import processing_qwen2_5_vl as processing
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLTextConfig, Qwen2_5_VLVisionConfig
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from manu.models.base import VisionLanguageModel
from manu.models.tokenizer import token_id, train_tokenizer

START, END = "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END, IMAGE, VIDEO = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
SIDE = 448  # pixels: larger pictures are scaled down to it; 256 tokens in the released checkpoints


@dataclass(frozen=True)
class Qwen25VlArchitecture:
    """Sizes of a Qwen2.5-VL trained from scratch (pixels, layers, heads, hidden and MLP widths).

    merge_size: the merger makes one token of merge_size * merge_size patches. window_size: pixels of an attention
    window of the vision layers; the last layer attends to the whole picture.
    """

    image_size: int = 64
    patch_size: int = 8
    merge_size: int = 2
    window_size: int = 32
    vision_layers: int = 3
    vision_width: int = 96
    vision_mlp: int = 96
    vision_heads: int = 4
    text_layers: int = 4
    text_width: int = 128
    text_mlp: int = 128
    text_heads: int = 4
    positions: int = 1024


class PictureMlp(modeling.Qwen2_5_VLMLP):
    """A vision layer's MLP with the input [pictures, patches, width]; the encoder itself has [all patches, width]."""

    patches: int  # per picture

    def forward(self, hidden_state: Tensor) -> Tensor:
        """The original's result: an MLP treats every patch alike."""
        if len(hidden_state) % self.patches:  # pictures of other sizes, which did not go through Qwen25Vl.pixels
            return super().forward(hidden_state)
        by_picture = hidden_state.unflatten(0, (-1, self.patches))
        return super().forward(by_picture).flatten(0, 1)


class Qwen2_5_VLForConditionalGeneration(  # noqa: N801 - the name in config.json
    modeling.Qwen2_5_VLForConditionalGeneration
):
    """The model with one row per picture in every input: pixel_values [pictures, patches, values of a patch].

    The original's pixel_values [all patches, values] are accepted too. The model finds the image tokens itself.
    """

    def separate_pictures(self, patches: int) -> None:
        """Give the vision encoder's MLPs one row per picture. patches: per picture, the same for all."""
        for block in self.model.visual.blocks:
            block.mlp.__class__, block.mlp.patches = PictureMlp, patches

    @wraps(modeling.Qwen2_5_VLForConditionalGeneration.forward)  # generation inspects the names of its parameters
    def forward(  # type: ignore[override]
        self, input_ids: Tensor | None = None, pixel_values: Tensor | None = None, **others: Any
    ) -> Any:
        """As the original, with pixel_values [pictures, patches, values of a patch]."""
        if pixel_values is not None and input_ids is not None:
            others.setdefault("mm_token_type_ids", self.picture_tokens(input_ids))
            pixel_values = pixel_values.flatten(0, -2)
        return super().forward(input_ids=input_ids, pixel_values=pixel_values, **others)

    def picture_tokens(self, input_ids: Tensor) -> Tensor:
        """1 at image tokens, 0 elsewhere; same shape as input_ids."""
        return (input_ids == self.config.image_token_id).int()

    def _prepare_position_ids_for_generation(self, inputs_tensor: Tensor, model_kwargs: dict[str, Any]) -> Tensor:
        ids = model_kwargs.get("input_ids", inputs_tensor)
        if "image_grid_thw" in model_kwargs:
            model_kwargs = model_kwargs | {"mm_token_type_ids": self.picture_tokens(ids)}
        return super()._prepare_position_ids_for_generation(inputs_tensor, model_kwargs)


# Released checkpoints use other weight names. transformers translates them only for classes registered here.
_NAME = Qwen2_5_VLForConditionalGeneration.__name__
register_checkpoint_conversion_mapping(_NAME, get_checkpoint_conversion_mapping(_NAME), overwrite=True)


class Qwen2_5_VLProcessor(processing.Qwen2_5_VLProcessor):  # noqa: N801 - the name in processor_config.json
    """The processor without support for videos, which needs torchvision."""

    def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **kwargs) -> None:
        super().__init__(image_processor, tokenizer, None, chat_template=chat_template, **kwargs)


class Qwen25Vl(VisionLanguageModel):
    """Qwen2.5-VL with the prompt layout of its released checkpoints.

    Pictures are resized to squares of at most SIDE pixels, so that all have the same number of tokens.
    """

    name = "qwen2_5_vl"
    model_class = Qwen2_5_VLForConditionalGeneration
    processor_class = Qwen2_5_VLProcessor
    architecture_class = Qwen25VlArchitecture
    released_vision_kinds = ("gate", "up", "down")
    picture_word = IMAGE
    per_patch = (".visual.patch_embed", ".visual.blocks")
    takes_language = False  # Qwen2.5's attention has biases, which other language models lack

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration, processor: Qwen2_5_VLProcessor) -> None:
        super().__init__(model, processor)
        images = processor.image_processor
        unit = images.patch_size * images.merge_size
        self.side = min(SIDE, math.isqrt(images.size["longest_edge"])) // unit * unit
        model.separate_pictures((self.side // images.patch_size) ** 2)

    @classmethod
    def build(
        cls, architecture: Qwen25VlArchitecture, texts: Iterable[str], language: Path | None = None
    ) -> "Qwen25Vl":
        a = architecture
        special = (START, END, VISION_START, VISION_END, IMAGE, VIDEO)
        tokenizer = train_tokenizer([*texts, cls.layout("", False, ".")], special)
        ids = {token: token_id(tokenizer, token) for token in special}
        vision = Qwen2_5_VLVisionConfig(
            hidden_size=a.vision_width,
            intermediate_size=a.vision_mlp,
            depth=a.vision_layers,
            num_heads=a.vision_heads,
            patch_size=a.patch_size,
            spatial_merge_size=a.merge_size,
            window_size=a.window_size,
            fullatt_block_indexes=[a.vision_layers - 1],
            out_hidden_size=a.text_width,
        )
        half = a.text_width // a.text_heads // 2
        spatial = 3 * half // 8  # for rows and for columns, as in the released models; time has the rest
        text = Qwen2_5_VLTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=a.text_width,
            intermediate_size=a.text_mlp,
            num_hidden_layers=a.text_layers,
            num_attention_heads=a.text_heads,
            num_key_value_heads=a.text_heads,
            max_position_embeddings=a.positions,
            rope_parameters={
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [half - 2 * spatial, spatial, spatial],
            },
            bos_token_id=None,
            eos_token_id=ids[END],
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=a.text_width**-0.5,
        )
        config = Qwen2_5_VLConfig(
            vision_config=vision,
            text_config=text,
            image_token_id=ids[IMAGE],
            video_token_id=ids[VIDEO],
            vision_start_token_id=ids[VISION_START],
            vision_end_token_id=ids[VISION_END],
            tie_word_embeddings=True,
        )
        area = a.image_size**2
        images = Qwen2VLImageProcessorPil(
            size={"shortest_edge": area, "longest_edge": area}, patch_size=a.patch_size, merge_size=a.merge_size
        )
        return cls(
            Qwen2_5_VLForConditionalGeneration(config), Qwen2_5_VLProcessor(image_processor=images, tokenizer=tokenizer)
        )

    @staticmethod
    def layout(question: str, with_image: bool, system: str | None) -> str:
        head = f"{START}system\n{system}{END}\n" if system else ""
        picture = f"{VISION_START}{IMAGE}{VISION_END}" if with_image else ""
        return f"{head}{START}user\n{picture}{question}{END}\n{START}assistant\n"

    def expand_images(self, prompt: str) -> str:
        images = self.processor.image_processor
        return prompt.replace(IMAGE, IMAGE * (self.side // images.patch_size // images.merge_size) ** 2)

    def pixels(self, images: list[Image.Image]) -> dict[str, Tensor]:
        square = [image.resize((self.side, self.side), Image.Resampling.BICUBIC) for image in images]
        inputs = self.processor.image_processor(square, return_tensors="pt")
        return {
            "pixel_values": inputs["pixel_values"].unflatten(0, (len(images), -1)),
            "image_grid_thw": inputs["image_grid_thw"],
        }

    def positions(self, prompts: Mapping[str, Tensor]) -> Tensor:
        return self._rope_index(prompts)[0] if "image_grid_thw" in prompts else super().positions(prompts)

    def positions_after(self, prompts: Mapping[str, Tensor], places: Tensor) -> Tensor:
        if "image_grid_thw" not in prompts:
            return places
        _, offset = self._rope_index(prompts)
        return places + offset.repeat_interleave(len(places) // len(offset), dim=0)

    def _rope_index(self, prompts: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Positions in time, rows and columns, [3, prompts, tokens], and an offset, [prompts, 1].

        A token after the prompt has its index in the text plus the offset as its position.
        """
        inputs = {name: prompts[name] for name in ("input_ids", "attention_mask", "image_grid_thw")}
        kinds = self.model.picture_tokens(prompts["input_ids"])
        return self.model.model.get_rope_index(mm_token_type_ids=kinds, **inputs)

    @property
    def picture_side(self) -> int:
        return self.side

    @property
    def picture_numbers(self) -> int:
        return (
            super().picture_numbers * self.model.config.vision_config.temporal_patch_size
        )  # the same pixels for every time step

    @property
    def begin_token(self) -> int | None:
        return None

    @property
    def end_token(self) -> int:
        return token_id(self.tokenizer, END)

    @property
    def language_model(self) -> nn.Module:
        return self.model.model.language_model

    @property
    def vision_mlps(self) -> list[nn.Module]:
        return [block.mlp for block in self.model.model.visual.blocks]


MODEL = Qwen25Vl
