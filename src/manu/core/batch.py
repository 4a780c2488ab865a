"""A batch: what a model is called with."""

import torch

Batch = dict[str, torch.Tensor]
"""input_ids, attention_mask and, for training, labels [samples, tokens]; pictures under the names that the model's
processor gives them. The first dimension of every tensor is the samples."""


def samples_of(batch: Batch) -> int:
    """Number of samples in a batch."""
    return len(batch["input_ids"])


def without_labels(batch: Batch) -> Batch:
    """The batch as a model takes it that shall not compute a loss itself."""
    return {name: tensor for name, tensor in batch.items() if name != "labels"}
