"""Batches of token ids and pixels, padded for a model."""

from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

from manu.core.batch import Batch
from manu.core.pictures import check_picture, opened
from manu.models.base import VisionLanguageModel

IGNORE = -100  # label of a token that has no loss


KEPT = 2**29  # bytes of processed pictures that are kept in memory


class Pictures:
    """The distinct pictures of a data set, numbered by row.

    All pictures are processed once, together, if the result fits into KEPT bytes. Otherwise the pictures of a batch
    are processed with the batch. The image processor pads pictures of different sizes that it gets together.
    """

    def __init__(self, vlm: VisionLanguageModel) -> None:
        self._vlm = vlm
        self._rows: dict[bytes, int] = {}
        self._pixels: Batch | None = None
        self._size = 0  # bytes of one processed picture

    def add(self, data: bytes, where: str) -> int:
        """Register a picture (PNG or JPEG bytes) and return its row. Raises UserError when it is not readable."""
        if data not in self._rows:
            check_picture(data, where)
            self._rows[data] = len(self._rows)
            self._pixels = None
        return self._rows[data]

    def pixels(self, rows: list[int]) -> Batch:
        """The model inputs of these rows, in their order."""
        pictures = list(self._rows)
        if self._pixels is None:
            self._size = self._size or sum(tensor.nbytes for tensor in self._processed(pictures[:1]).values())
            if len(pictures) * self._size > KEPT:
                return self._processed([pictures[row] for row in rows])
            self._pixels = self._processed(pictures)
        index = torch.tensor(rows)
        return {name: tensor[index] for name, tensor in self._pixels.items()}

    def _processed(self, pictures: list[bytes]) -> Batch:
        return self._vlm.pixels([opened(data) for data in pictures])


@dataclass(frozen=True)
class Example:
    """A prompt and its answer as token ids. picture: a row of `Pictures`, or None for plain text."""

    prompt: list[int]
    answer: list[int]
    picture: int | None

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def training_batch(vlm: VisionLanguageModel, examples: list[Example], pictures: Pictures) -> Batch:
    """Right-padded input_ids, attention_mask and labels, each [batch, tokens], and the pixels of multimodal examples.

    Labels are the answer's tokens, and IGNORE elsewhere. Raises ValueError when the examples have different modalities.
    """
    return _placed(vlm, _padded(vlm, examples) | _pixels(examples, pictures))


def with_answer(vlm: VisionLanguageModel, batch: Batch, answer: list[int]) -> Batch:
    """A training batch with every answer replaced by `answer` (token ids, end token last)."""
    in_prompt = (batch["attention_mask"] == 1) & (batch["labels"] == IGNORE)
    prompts = [ids[row].tolist() for ids, row in zip(batch["input_ids"], in_prompt, strict=True)]
    return batch | _placed(vlm, _padded(vlm, [Example(prompt, answer, None) for prompt in prompts]))


def _padded(vlm: VisionLanguageModel, examples: list[Example]) -> Batch:
    ids = [torch.tensor(e.prompt + e.answer) for e in examples]
    labels = [torch.tensor([IGNORE] * len(e.prompt) + e.answer) for e in examples]
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=vlm.tokenizer.pad_token_id),
        "attention_mask": pad_sequence([torch.ones_like(i) for i in ids], batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORE),
    }


def prompt_batch(vlm: VisionLanguageModel, examples: list[Example], pictures: Pictures) -> Batch:
    """Left-padded prompts for generation: input_ids and attention_mask, each [batch, tokens], and pixels.

    Raises ValueError when the examples have different modalities.
    """
    longest = max(len(e.prompt) for e in examples)
    pad = vlm.tokenizer.pad_token_id
    batch = {
        "input_ids": torch.tensor([[pad] * (longest - len(e.prompt)) + e.prompt for e in examples]),
        "attention_mask": torch.tensor([[0] * (longest - len(e.prompt)) + [1] * len(e.prompt) for e in examples]),
    }
    return _placed(vlm, batch | _pixels(examples, pictures))


def _placed(vlm: VisionLanguageModel, batch: Batch) -> Batch:
    """The batch on the model's device, with floating-point values in the model's precision."""
    device, dtype = vlm.model.device, vlm.model.dtype
    return {name: tensor.to(device, dtype if tensor.is_floating_point() else None) for name, tensor in batch.items()}


def _pixels(examples: list[Example], pictures: Pictures) -> Batch:
    rows = [e.picture for e in examples if e.picture is not None]
    if rows and len(rows) < len(examples):
        raise ValueError("a batch must be of one modality")
    return pictures.pixels(rows) if rows else {}
