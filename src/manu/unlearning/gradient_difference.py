"""Gradient difference: ascent on the forget answers, descent on the retain answers."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from manu.training.losses import answer_cross_entropy
from manu.unlearning.base import Batches, TrainingMethod


@dataclass(frozen=True, kw_only=True)
class GradientDifference(TrainingMethod):
    """Liu, Liu and Stone 2022 (Continual Learning and Private Unlearning), as in MLLMU-Bench."""

    needs_retain: ClassVar[bool] = True

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module | None) -> Tensor:
        """L = CE(D_r) - CE(D_f)."""
        return answer_cross_entropy(model, batches.retain) - answer_cross_entropy(model, batches.forget)


METHOD = GradientDifference
