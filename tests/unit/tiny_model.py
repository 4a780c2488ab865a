"""A vision-language model of a few dozen weights, with the calling convention of the real ones."""

from types import SimpleNamespace

import torch
from torch import nn

from manu.neurons.sites import LinearSite, MlpSite


class GatedMlp(nn.Module):
    def __init__(self, width: int, hidden: int, bias: bool = False):
        super().__init__()
        self.gate_proj = nn.Linear(width, hidden, bias=bias)
        self.up_proj = nn.Linear(width, hidden, bias=bias)
        self.down_proj = nn.Linear(hidden, width, bias=bias)

    def forward(self, x):
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class PlainMlp(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(nn.functional.gelu(self.fc1(x)))


class TinyModel(nn.Module):
    """Two language MLPs over embeddings and, when there are pixels, two vision MLPs before them."""

    def __init__(self, vocabulary: int = 7, width: int = 4, hidden: int = 6, layers: int = 2):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.vision = nn.ModuleList(PlainMlp(width, hidden) for _ in range(layers))
        self.language = nn.ModuleList(GatedMlp(width, hidden) for _ in range(layers))
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, input_ids, attention_mask, pixel_values=None):
        x = self.embedding(input_ids)
        if pixel_values is not None:
            patches = pixel_values
            for mlp in self.vision:
                patches = patches + mlp(patches)
            x = x + patches.mean(1, keepdim=True)
        for mlp in self.language:
            x = x + mlp(x)
        return SimpleNamespace(logits=self.head(x))

    def mlp_sites(self) -> list[MlpSite]:
        language = [
            MlpSite(f"language.{i}", "language", i, (mlp.gate_proj, mlp.up_proj), mlp.down_proj)
            for i, mlp in enumerate(self.language)
        ]
        vision = [MlpSite(f"vision.{i}", "vision", i, (mlp.fc1,), mlp.fc2) for i, mlp in enumerate(self.vision)]
        return language + vision

    def linear_sites(self) -> list[LinearSite]:
        language = [
            LinearSite(f"language.{kind}.{i}", "language", kind, i, getattr(mlp, f"{kind}_proj"))
            for i, mlp in enumerate(self.language)
            for kind in ("gate", "up", "down")
        ]
        return language + [
            LinearSite(f"vision.{kind}.{i}", "vision", kind, i, getattr(mlp, kind))
            for i, mlp in enumerate(self.vision)
            for kind in ("fc1", "fc2")
        ]


def make_batch(samples: int, tokens: int, *, pixels: bool, seed: int = 0, padding: int = 0) -> dict[str, torch.Tensor]:
    """A batch whose first sample ends in `padding` padded tokens; the last two real tokens are the answer."""
    generator = torch.Generator().manual_seed(seed)
    input_ids = torch.randint(1, 7, (samples, tokens), generator=generator)
    attention_mask = torch.ones_like(input_ids)
    attention_mask[0, tokens - padding :] = 0
    labels = torch.full_like(input_ids, -100)
    for row, real in enumerate(attention_mask.sum(1).tolist()):
        labels[row, real - 2 : real] = input_ids[row, real - 2 : real]
    batch = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
    if pixels:
        batch["pixel_values"] = torch.randn(samples, 3, 4, generator=generator)
    return batch
