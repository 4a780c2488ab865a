"""A training step that does not fit into memory: the model takes its batch in parts, one at a time."""

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from manu.core.errors import UserError, out_of_memory
from manu.core.memory import SINGLE

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Halving:
    """How a model in training takes its batches: whole, until one does not fit into memory.

    From then on it takes them in parts. The activations of a part are computed again for the backward pass, so those of
    one part at a time are in memory. The caller gets the predictions and hidden states of the whole batch, so every
    loss keeps its value, even one that is no mean over samples; gradients differ by rounding, and by dropout's draws.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model, self._forward = model, model.forward
        self._parts = 1
        self._samples = 0  # of the largest batch of the step

    def __call__(self, run: Callable[[], Result]) -> Result:
        """Call `run`, which calls the model; after out-of-memory call it again with parts of half the size, and so on.

        Each halving is logged. Raises UserError when a single sample does not fit. Out of memory is fatal in
        multi-process training, as the other processes would wait.
        """
        while True:
            self._samples = 0
            try:
                return run()
            except RuntimeError as error:  # of which torch.OutOfMemoryError is one
                if not out_of_memory(error) or not self._samples or torch.distributed.is_initialized():
                    raise
                message = str(error).splitlines()[0]
            if self._parts >= self._samples:
                raise UserError(SINGLE.format(message))
            self._parts *= 2
            log.warning("out of memory; from here on batches are taken in %d parts: %s", self._parts, message)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def forward(self, *others: Any, **inputs: Any) -> Any:
        """The model's output for tensors, whose first dimension is the samples, and options; all by name.

        Inputs without a name or without input_ids, and calls without gradients (generation), are taken whole.
        """
        samples = len(inputs.get("input_ids", ())) if torch.is_grad_enabled() else 0
        self._samples = max(self._samples, samples)
        parts = min(self._parts, samples)
        if parts <= 1:
            return self._forward(*others, **inputs)
        from transformers.modeling_outputs import CausalLMOutput  # takes seconds: manu.models.lazy_imports

        labels = inputs.pop("labels", None)
        batch = {name: each for name, each in inputs.items() if isinstance(each, Tensor) and name != "logits_to_keep"}
        options = {name: each for name, each in inputs.items() if name not in batch}
        given = []
        for index in range(parts):
            rows = slice(samples * index // parts, samples * (index + 1) // parts)
            part = {name: each[rows] for name, each in batch.items()}
            given.append(checkpoint(self._predictions, part, options, use_reentrant=False))
        logits = torch.cat([part_logits for part_logits, _ in given])
        states = zip(*(part_states for _, part_states in given), strict=True)
        loss = None
        if labels is not None:
            loss_of: Any = self._model.loss_function  # of transformers' models
            loss = loss_of(logits=logits, labels=labels, vocab_size=logits.shape[-1])
        return CausalLMOutput(loss=loss, logits=logits, hidden_states=tuple(map(torch.cat, states)) or None)

    def _predictions(self, part: dict[str, Tensor], options: dict[str, Any]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits and hidden states of a part; the rest of the output, such as a cache, would stay in memory."""
        output = self._forward(**part, **options)
        return output.logits, output.hidden_states or ()


@contextmanager
def halving(model: nn.Module) -> Iterator[Halving]:
    """Inside the block the model takes its batches as the yielded `Halving` does."""
    found, own = Halving(model), model.__dict__.get("forward")  # one of its own where several devices share it

    @functools.wraps(model.forward)  # who looks at what the model takes, as its generate() does, sees its own
    def forward(*others: Any, **inputs: Any) -> Any:
        return found.forward(*others, **inputs)

    model.forward = forward
    try:
        yield found
    finally:
        del model.forward
        if own is not None:
            model.forward = own
