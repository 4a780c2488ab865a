"""A step for which memory does not suffice: the model takes its batch in halves, of which one at a time is held."""

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
    """How a model in training takes its batches: at once, until memory does not suffice.

    From then on it takes them in parts, whose activations are computed again when their gradients are asked for, so
    that those of one part are held at a time. Whoever calls the model is given the predictions and hidden states of the
    whole batch, so that every loss, also one that is no mean over samples, stays what it is; gradients differ by
    rounding alone, and by the draws of dropout where there is any.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model, self._forward = model, model.forward
        self._parts = 1
        self._samples = 0  # of the largest batch of the step

    def __call__(self, run: Callable[[], Result]) -> Result:
        """`run()`, which calls the model; where that runs out of memory, again with parts of half the size, and so on.

        Each halving is logged. Raises UserError when one sample is already too much. What one of several processes
        cannot hold stays an error, as the others would wait for it.
        """
        while True:
            self._samples = 0
            try:
                return run()
            except RuntimeError as error:  # of which torch.OutOfMemoryError is one
                if not out_of_memory(error) or not self._samples or torch.distributed.is_initialized():
                    raise
                user_message = str(error).splitlines()[0]
            if self._parts >= self._samples:
                raise UserError(SINGLE.format(user_message))
            self._parts *= 2
            log.warning("out of memory; from here on batches are taken in %d parts: %s", self._parts, user_message)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def forward(self, *others: Any, **inputs: Any) -> Any:
        """What the model gives, for a batch of tensors whose first dimension is the samples, and options; all by name.

        What is given without a name, has no input_ids or is not differentiated, as an answer, is taken at once.
        """
        samples = len(inputs.get("input_ids", ())) if torch.is_grad_enabled() else 0
        self._samples = max(self._samples, samples)
        parts = min(self._parts, samples)
        if parts <= 1:
            return self._forward(*others, **inputs)
        from transformers.modeling_outputs import CausalLMOutput  # late: manu.models.lazy_imports

        labels = inputs.pop("labels", None)
        batch = {name: each for name, each in inputs.items() if isinstance(each, Tensor) and name != "logits_to_keep"}
        options = {name: each for name, each in inputs.items() if name not in batch}
        given = []
        for index in range(parts):
            rows = slice(samples * index // parts, samples * (index + 1) // parts)
            part = {name: each[rows] for name, each in batch.items()}
            given.append(checkpoint(self._predictions, part, options, use_reentrant=False))
        logits, states = torch.cat([each for each, _ in given]), zip(*(each for _, each in given), strict=True)
        loss = None
        if labels is not None:
            loss = self._model.loss_function(logits=logits, labels=labels, vocab_size=logits.shape[-1])
        return CausalLMOutput(loss=loss, logits=logits, hidden_states=tuple(map(torch.cat, states)) or None)

    def _predictions(self, part: dict[str, Tensor], options: dict[str, Any]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """No more of the model's output than is needed: what is kept, as a cache, is memory that is not freed."""
        output = self._forward(**part, **options)
        return output.logits, output.hidden_states or ()


@contextmanager
def halving(model: nn.Module) -> Iterator[Halving]:
    """Inside the block the model takes its batches as the yielded object says."""
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
