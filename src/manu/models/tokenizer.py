"""A tokenizer trained on the benchmark's own text, for models that are trained here."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

if TYPE_CHECKING:  # late.py says why
    from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"


def train_tokenizer(
    texts: Iterable[str], special: tuple[str, ...] = (), vocabulary: int = 4000
) -> "PreTrainedTokenizerFast":
    """A byte-level BPE tokenizer; `special` tokens are never split. The same texts give the same tokenizer."""
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
    apart = re.compile("|".join(map(re.escape, reserved)))
    tokenizer.train_from_iterator((apart.sub(" ", text) for text in texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        additional_special_tokens=list(special),
        clean_up_tokenization_spaces=False,
    )
