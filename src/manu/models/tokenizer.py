"""A tokenizer trained on the benchmark's text, for models trained from scratch."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

if TYPE_CHECKING:  # importing it takes seconds: manu.models.lazy_imports
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

PAD, BOS, EOS, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"


def train_tokenizer(
    texts: Iterable[str], special: tuple[str, ...] = (), vocabulary: int = 4000
) -> "PreTrainedTokenizerFast":
    """Train a byte-level BPE tokenizer. The same texts give the same tokenizer.

    special: tokens that are never split. vocabulary: largest number of tokens.
    """
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    reserved = list(dict.fromkeys([PAD, BOS, EOS, UNKNOWN, *special]))
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=reserved,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    special_pattern = re.compile("|".join(map(re.escape, reserved)))
    tokenizer.train_from_iterator((special_pattern.sub(" ", text) for text in texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        additional_special_tokens=list(special),
        clean_up_tokenization_spaces=False,
    )


def token_id(tokenizer: "PreTrainedTokenizerBase", token: str) -> int:
    """Id of a special token that the tokenizer has."""
    return cast(int, tokenizer.convert_tokens_to_ids(token))
