"""Gradient ascent: make the forget answers less likely."""

from dataclasses import dataclass

from torch import Tensor, nn

from manu.training.losses import answer_cross_entropy
from manu.unlearning.base import Batches, TrainingMethod


@dataclass(frozen=True, kw_only=True)
class GradientAscent(TrainingMethod):
    """Thudi et al. 2022, as in MLLMU-Bench (Liu et al. 2024)."""

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module | None) -> Tensor:
        """L = -CE(D_f)."""
        return -answer_cross_entropy(model, batches.forget)


METHOD = GradientAscent
