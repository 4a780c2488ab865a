"""Recovery: a light retraining that repairs the damage of an edit; alone, or after pruning (`manu+recover`)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from manu.training.losses import answer_cross_entropy
from manu.unlearning.base import Batches, TrainingMethod, require


@dataclass(frozen=True, kw_only=True)
class Recover(TrainingMethod):
    """The lightweight retraining of the project's brief. With weight 0 it trains on retain data alone; otherwise a
    guard on the forget answers is added, as training on other people brings forgotten answers back
    (docs/method.md#recover).

    weight: of the guard; cap: nats per answer token above which the guard is 0.
    """

    needs_retain: ClassVar[bool] = True

    modalities: tuple[str, ...] = ("multimodal", "text")
    weight: float = 1.0
    cap: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight >= 0, "weight", self.weight, "0 (retain data alone) or more")
        require(self.cap > 0, "cap", self.cap, "above 0")

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module | None) -> Tensor:
        """L = CE(D_r) + weight * max(0, cap - CE(D_f))."""
        kept = answer_cross_entropy(model, batches.retain)
        if self.weight == 0:
            return kept
        return kept + self.weight * torch.relu(self.cap - answer_cross_entropy(model, batches.forget))


METHOD = Recover
