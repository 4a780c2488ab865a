"""Attack: the same portrait with a small perturbation. The same input bytes give the same output bytes."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from manu.core.pictures import opened

NOISE = 25.0  # standard deviation, in grey levels of 255
BLUR = 1 / 64  # radius, as a share of the width


def _noise(image: Image.Image) -> Image.Image:
    levels = np.asarray(image, dtype=np.float64)
    noisy = levels + np.random.default_rng(0).normal(0.0, NOISE, levels.shape)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


PERTURBATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "noise": _noise,
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(BLUR * image.width)),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


def perturbed(data: bytes, name: str) -> bytes:
    """A picture (PNG or JPEG bytes) under one of PERTURBATIONS, as PNG bytes."""
    changed = PERTURBATIONS[name](opened(data))
    buffer = io.BytesIO()
    changed.save(buffer, format="PNG")
    return buffer.getvalue()
