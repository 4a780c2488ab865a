"""Batches: token ids and pixels, padded and ready for a model."""

import io
from dataclasses import dataclass

import torch
from PIL import Image
from torch.nn.utils.rnn import pad_sequence

from manu.core.pictures import check_picture
from manu.models.base import VisionLanguageModel

IGNORE = -100
Batch = dict[str, torch.Tensor]


KEPT = 2**29  # bytes of processed pictures up to which all are kept


class Pictures:
    """Every distinct picture of a data set, looked up by row.

    They are processed once, all together, unless that takes more than KEPT bytes; then each batch's are when it is
    made. Where pictures differ in size, the image processor pads those that it gets together.
    """

    def __init__(self, vlm: VisionLanguageModel) -> None:
        self._adapter = vlm
        self._rows: dict[bytes, int] = {}
        self._pixels: Batch | None = None
        self._size = 0  # bytes of one processed picture

    def add(self, data: bytes, where: str) -> int:
        """Register PNG or JPEG bytes and return their row. Raises UserError when they are no picture."""
        if data not in self._rows:
            check_picture(data, where)
            self._rows[data] = len(self._rows)
            self._pixels = None
        return self._rows[data]

    def pixels(self, rows: list[int]) -> Batch:
        """The model inputs of these rows."""
        pictures = list(self._rows)
        if self._pixels is None:
            self._size = self._size or sum(tensor.nbytes for tensor in self._processed(pictures[:1]).values())
            if len(pictures) * self._size > KEPT:
                return self._processed([pictures[row] for row in rows])
            self._pixels = self._processed(pictures)
        index = torch.tensor(rows)
        return {name: tensor[index] for name, tensor in self._pixels.items()}

    def _processed(self, pictures: list[bytes]) -> Batch:
        return self._adapter.pixels([Image.open(io.BytesIO(data)) for data in pictures])


@dataclass(frozen=True)
class Example:
    """A prompt with its answer as token ids; `picture` is a row of `Pictures`, or None for plain text."""

    prompt: list[int]
    answer: list[int]
    picture: int | None

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def training_batch(vlm: VisionLanguageModel, examples: list[Example], pictures: Pictures) -> Batch:
    """Right-padded input_ids, attention_mask and labels (answer tokens only), with pixels where there are any.

    All examples must be of one modality. Shapes [batch, tokens]; labels are -100 off the answer.
    """
    return _placed(vlm, _padded(vlm, examples) | _pixels(examples, pictures))


def with_answer(vlm: VisionLanguageModel, batch: Batch, answer: list[int]) -> Batch:
    """The prompts and pictures of a training batch, each with the answer `answer` (token ids, end token last)."""
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
    """Left-padded prompts for generation: input_ids and attention_mask [batch, tokens], with pixels."""
    longest = max(len(e.prompt) for e in examples)
    pad = vlm.tokenizer.pad_token_id
    batch = {
        "input_ids": torch.tensor([[pad] * (longest - len(e.prompt)) + e.prompt for e in examples]),
        "attention_mask": torch.tensor([[0] * (longest - len(e.prompt)) + [1] * len(e.prompt) for e in examples]),
    }
    return _placed(vlm, batch | _pixels(examples, pictures))


def _placed(vlm: VisionLanguageModel, batch: Batch) -> Batch:
    """The batch where the model is, its numbers as precise as the model's."""
    device, dtype = vlm.model.device, vlm.model.dtype
    return {name: each.to(device, dtype if each.is_floating_point() else None) for name, each in batch.items()}


def _pixels(examples: list[Example], pictures: Pictures) -> Batch:
    rows = [e.picture for e in examples]
    if all(row is None for row in rows):
        return {}
    if any(row is None for row in rows):
        raise ValueError("a batch must be of one modality")
    return pictures.pixels(rows)
