"""Attack: quantisation. Weights are rounded to few bits, as for deployment; small steps of unlearning may vanish.

Zhang et al. 2025 (Catastrophic failure of LLM unlearning via quantization).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def round_weight(weight: Tensor, bits: int) -> Tensor:
    """Round to nearest on a symmetric grid per output channel: w' = s round(w / s), s = max |w| / (2^(bits - 1) - 1).

    weight: [output channels, inputs]; the maximum is over a channel's inputs. A channel of zeros stays as it is.
    Raises ValueError for fewer than 2 bits, which leave no step.
    """
    if bits < 2:
        raise ValueError(f"{bits} bits: a symmetric grid needs at least 2")
    step = weight.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
    return torch.where(step > 0, step * torch.round(weight / step), weight)


@contextmanager
def rounded(model: nn.Module, bits: int) -> Iterator[None]:
    """Within the block every linear layer of `model` has rounded weights; biases and other weights stay.

    An embedding that shares its weight with a linear layer is rounded with it.
    """
    kept = {layer: layer.weight.detach().clone() for layer in model.modules() if isinstance(layer, nn.Linear)}
    try:
        with torch.no_grad():
            for layer, weight in kept.items():
                layer.weight.copy_(round_weight(weight, bits))
        yield
    finally:
        with torch.no_grad():
            for layer, weight in kept.items():
                layer.weight.copy_(weight)
