"""An architecture's sizes, as the configurations of transformers take them: what most models that are trained here share."""

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # late.py says why
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

Config = TypeVar("Config", bound="PretrainedConfig")


def vision_config(kind: type[Config], sizes: Any, **others: Any) -> Config:
    """A configuration of the vision encoder from sizes that are called `vision_...`, `image_size` and `patch_size`."""
    return kind(
        hidden_size=sizes.vision_width,
        intermediate_size=sizes.vision_mlp,
        num_hidden_layers=sizes.vision_layers,
        num_attention_heads=sizes.vision_heads,
        image_size=sizes.image_size,
        patch_size=sizes.patch_size,
        **others,
    )


def text_config(kind: type[Config], sizes: Any, tokenizer: "PreTrainedTokenizerBase", **others: Any) -> Config:
    """A configuration of the language model from sizes that are called `text_...` and `positions`, its embeddings tied to
    its head; `others` come last, and stand in for what is said here."""
    return kind(
        **dict(
            vocab_size=len(tokenizer),
            hidden_size=sizes.text_width,
            intermediate_size=sizes.text_mlp,
            num_hidden_layers=sizes.text_layers,
            num_attention_heads=sizes.text_heads,
            num_key_value_heads=sizes.text_heads,
            max_position_embeddings=sizes.positions,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        | others
    )
