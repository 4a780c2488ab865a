"""The sizes of an architecture as configurations of transformers: what most models trained from scratch share.

The standard deviation of initial weights is width^-0.5, so that a layer keeps the size of its inputs. The 0.02 of
transformers does so for widths of thousands; at a width of 128 it shrinks all signals, and a model learns pictures late
or never (docs/performance.md#recipes).
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # importing it takes seconds: manu.models.lazy_imports
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

Config = TypeVar("Config", bound="PretrainedConfig")


def size_mistake(sizes: Any) -> str | None:
    """What of an architecture's sizes cannot be built, in words that name the keys; None if nothing.

    Of the sizes only those are looked at that the architecture has.
    """
    has = vars(sizes)
    multiples = [  # the first must be a multiple of the product of the others
        ("vision_width", ("vision_heads",)),
        ("text_width", ("text_heads",)),
        ("text_heads", ("text_key_value_heads",)),
        ("image_size", ("patch_size",)),
        ("image_size", ("patch_size", "merge_size")),
        ("image_size", ("patch_size", "scale_factor")),
        ("window_size", ("patch_size", "merge_size")),
    ]
    for whole, parts in multiples:
        if whole in has and all(part in has for part in parts) and has[whole] % prod(has[part] for part in parts):
            shown = " times ".join(f"{part} ({has[part]})" for part in parts)
            return f"{whole} ({has[whole]}) is no multiple of {shown}"
    if {"text_width", "text_heads"} <= has.keys() and has["text_width"] // has["text_heads"] % 2:
        return f"text_width ({has['text_width']}) is no even multiple of text_heads ({has['text_heads']})"
    return None


def square_side(size: int | Sequence[int]) -> int:
    """The side of a square, which some configurations write as height and width. Raises ValueError on other shapes."""
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) > 1:
        raise ValueError(f"the size {size} is not square; the model's class must override `picture_side`")
    return sides.pop()


def vision_config(kind: Callable[..., Config], sizes: Any, **others: Any) -> Config:
    """A configuration of the vision encoder, from the sizes `vision_...`, `image_size` and `patch_size`.

    kind: the configuration class of transformers. others: further arguments of that class.
    """
    return kind(
        hidden_size=sizes.vision_width,
        intermediate_size=sizes.vision_mlp,
        num_hidden_layers=sizes.vision_layers,
        num_attention_heads=sizes.vision_heads,
        image_size=sizes.image_size,
        patch_size=sizes.patch_size,
        **others,
    )


def text_config(kind: Callable[..., Config], sizes: Any, tokenizer: "PreTrainedTokenizerBase", **others: Any) -> Config:
    """A configuration of the language model, from the sizes `text_...` and `positions`.

    The embeddings are tied to the output head. kind: the configuration class of transformers. others: further
    arguments, which override the ones set here.
    """
    arguments = {
        "vocab_size": len(tokenizer),
        "hidden_size": sizes.text_width,
        "intermediate_size": sizes.text_mlp,
        "num_hidden_layers": sizes.text_layers,
        "num_attention_heads": sizes.text_heads,
        "num_key_value_heads": sizes.text_heads,
        "max_position_embeddings": sizes.positions,
        "tie_word_embeddings": True,
        "initializer_range": sizes.text_width**-0.5,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return kind(**arguments | others)
