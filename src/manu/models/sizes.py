"""The sizes of an architecture as configurations of transformers: what most models trained from scratch share."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # importing it takes seconds: manu.models.lazy_imports
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

Config = TypeVar("Config", bound="PretrainedConfig")


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
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return kind(**arguments | others)
