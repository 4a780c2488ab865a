"""From the tokens of a sample to one value z(d) for each neuron."""

import torch
from torch import Tensor

POOLINGS = ("mean", "last", "max")


def pool_tokens(z: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
    """Pool the tokens of each sample in every way of POOLINGS.

    z: [batch, tokens, width]; mask: bool [batch, tokens], true at real tokens, None = all real.
    Returns float64 [batch, width] for "mean" (mean of |z| over real tokens), "last" (z, with
    its sign, at the last real token) and "max" (largest |z| over real tokens). The paper does
    not say which one it uses (docs/deviations.md#pooling). Raises ValueError on a sample
    without a real token.
    """
    magnitude = z.abs()
    tokens: Tensor | int
    if mask is None:
        tokens, last = z.shape[1], z[:, -1]
    else:
        mask = mask.to(z.device, torch.bool)
        tokens = mask.sum(1, dtype=torch.float64)[:, None]
        if (tokens == 0).any():
            raise ValueError("a sample has no real token")
        magnitude.masked_fill_(~mask[..., None], 0)
        place = (mask * torch.arange(1, z.shape[1] + 1, device=z.device)).argmax(1)  # either padding side
        last = z[torch.arange(len(z), device=z.device), place]
    return {
        "mean": magnitude.sum(1, dtype=torch.float64) / tokens,
        "last": last.double(),
        "max": magnitude.amax(1).double(),
    }
