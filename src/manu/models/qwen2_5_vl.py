"""Qwen2.5-VL: a vision encoder with windowed attention and gated MLPs, a merger of patches, and a Qwen2.5 language model
with positions in three dimensions (Bai et al. 2025)."""

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
from manu.models.tokenizer import train_tokenizer

START, END = "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END, IMAGE, VIDEO = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
SIDE = 448  # pixels: a larger picture is made smaller; 256 tokens of the released checkpoints


@dataclass(frozen=True)
class Qwen25VlArchitecture:
    """Sizes of a Qwen2.5-VL trained here (pixels, layers, heads, hidden and MLP widths): `merge_size` squared patches
    become one token; the vision layers attend within windows of `window_size` pixels, the last to the whole picture."""

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
    """A vision layer's MLP that sees [pictures, patches, width] where the encoder has all patches in one row."""

    patches: int  # of a picture

    def forward(self, hidden_state: Tensor) -> Tensor:
        """As the original's, which treats every patch alike."""
        if len(hidden_state) % self.patches:  # pictures of other sizes, as the processor alone makes them
            return super().forward(hidden_state)
        apart = hidden_state.unflatten(0, (-1, self.patches))
        return super().forward(apart).flatten(0, 1)


class Qwen2_5_VLForConditionalGeneration(modeling.Qwen2_5_VLForConditionalGeneration):  # by this name it is saved
    """The model with a row of every input for each picture: pixel_values [pictures, patches, numbers of a patch]; the
    original's [all patches, numbers] it takes as well. Which tokens stand for pictures it sees by itself."""

    def tell_pictures_apart(self, patches: int) -> None:
        """Let the vision encoder's MLPs see one row per picture; all have so many patches."""
        for block in self.model.visual.blocks:
            block.mlp.__class__, block.mlp.patches = PictureMlp, patches

    @wraps(modeling.Qwen2_5_VLForConditionalGeneration.forward)  # generation looks at the names of its parameters
    def forward(self, input_ids: Tensor | None = None, pixel_values: Tensor | None = None, **others):
        if pixel_values is not None:
            others.setdefault("mm_token_type_ids", self.picture_tokens(input_ids))
            pixel_values = pixel_values.flatten(0, -2)
        return super().forward(input_ids=input_ids, pixel_values=pixel_values, **others)

    def picture_tokens(self, input_ids: Tensor) -> Tensor:
        """1 where a token stands for a part of a picture, and 0 elsewhere."""
        return (input_ids == self.config.image_token_id).int()

    def _prepare_position_ids_for_generation(self, inputs_tensor: Tensor, model_kwargs: dict[str, Any]) -> Tensor:
        ids = model_kwargs.get("input_ids", inputs_tensor)
        if "image_grid_thw" in model_kwargs:
            model_kwargs = model_kwargs | {"mm_token_type_ids": self.picture_tokens(ids)}
        return super()._prepare_position_ids_for_generation(inputs_tensor, model_kwargs)


# Released files name weights otherwise. For a class that is not its own transformers translates only what it is told to.
_NAME = Qwen2_5_VLForConditionalGeneration.__name__
register_checkpoint_conversion_mapping(_NAME, get_checkpoint_conversion_mapping(_NAME), overwrite=True)


class Qwen2_5_VLProcessor(processing.Qwen2_5_VLProcessor):
    """The processor without its part for videos, which needs torchvision."""

    def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **kwargs) -> None:
        super().__init__(image_processor, tokenizer, None, chat_template=chat_template, **kwargs)


class Qwen25Vl(VisionLanguageModel):
    """Qwen2.5-VL with the prompt layout of its released checkpoints. Pictures are made square, and no larger than SIDE,
    so that all take the same number of tokens."""

    name = "qwen2_5_vl"
    model_class = Qwen2_5_VLForConditionalGeneration
    processor_class = Qwen2_5_VLProcessor
    architecture_class = Qwen25VlArchitecture
    released_vision_kinds = ("gate", "up", "down")
    picture_word = IMAGE
    per_patch = (".visual.patch_embed", ".visual.blocks")
    takes_language = False  # the language models at hand lack the biases of Qwen2.5's attention

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration, processor: Qwen2_5_VLProcessor) -> None:
        super().__init__(model, processor)
        images = processor.image_processor
        unit = images.patch_size * images.merge_size
        self.side = min(SIDE, math.isqrt(images.size["longest_edge"])) // unit * unit
        model.tell_pictures_apart((self.side // images.patch_size) ** 2)

    @classmethod
    def build(
        cls, architecture: Qwen25VlArchitecture, texts: Iterable[str], language: Path | None = None
    ) -> "Qwen25Vl":
        a = architecture
        special = (START, END, VISION_START, VISION_END, IMAGE, VIDEO)
        tokenizer = train_tokenizer([*texts, cls.layout("", False, ".")], special)
        known = dict(zip(special, tokenizer.convert_tokens_to_ids(list(special)), strict=True))
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
        across = 3 * half // 8  # the share of rows and columns each in the released models; time has the rest
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
                "mrope_section": [half - 2 * across, across, across],
            },
            bos_token_id=None,
            eos_token_id=known[END],
            pad_token_id=tokenizer.pad_token_id,
        )
        config = Qwen2_5_VLConfig(
            vision_config=vision,
            text_config=text,
            image_token_id=known[IMAGE],
            video_token_id=known[VIDEO],
            vision_start_token_id=known[VISION_START],
            vision_end_token_id=known[VISION_END],
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
        square = [image.convert("RGB").resize((self.side, self.side), Image.Resampling.BICUBIC) for image in images]
        made = self.processor.image_processor(square, return_tensors="pt")
        return {
            "pixel_values": made["pixel_values"].unflatten(0, (len(images), -1)),
            "image_grid_thw": made["image_grid_thw"],
        }

    def positions(self, prompts: Mapping[str, Tensor]) -> Tensor:
        return self._places(prompts)[0] if "image_grid_thw" in prompts else super().positions(prompts)

    def positions_after(self, prompts: Mapping[str, Tensor], places: Tensor) -> Tensor:
        if "image_grid_thw" not in prompts:
            return places
        _, ahead = self._places(prompts)
        return places + ahead.repeat_interleave(len(places) // len(ahead), dim=0)

    def _places(self, prompts: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Positions in time, rows and columns, [3, prompts, tokens]; and how far what follows is off a count of tokens,
        [prompts, 1]."""
        asked = {name: prompts[name] for name in ("input_ids", "attention_mask", "image_grid_thw")}
        kinds = self.model.picture_tokens(prompts["input_ids"])
        return self.model.model.get_rope_index(mm_token_type_ids=kinds, **asked)

    @property
    def picture_side(self) -> int:
        return self.side

    @property
    def picture_numbers(self) -> int:
        return super().picture_numbers * self.model.config.vision_config.temporal_patch_size  # the same for each time

    @property
    def begin_token(self) -> int | None:
        return None

    @property
    def end_token(self) -> int:
        return self.tokenizer.convert_tokens_to_ids(END)

    @property
    def language_model(self) -> nn.Module:
        return self.model.model.language_model

    @property
    def vision_mlps(self) -> list[nn.Module]:
        return [block.mlp for block in self.model.model.visual.blocks]


MODEL = Qwen25Vl
