"""Gradient difference: ascent on the forget answers, descent on the retain answers."""

from dataclasses import dataclass

from torch import Tensor, nn

from manu.core.batch import Batch
from manu.training.losses import answer_cross_entropy
from manu.unlearning.base import ForgetAndRetain


@dataclass(frozen=True, kw_only=True)
class GradientDifference(ForgetAndRetain):
    """Liu, Liu and Stone 2022 (Continual Learning and Private Unlearning), in the schedule of MLLMU-Bench's script."""

    def forget_loss(self, model: nn.Module, batch: Batch, reference: nn.Module | None) -> Tensor:
        """L = -CE(D_f)."""
        return -answer_cross_entropy(model, batch)

    def retain_loss(self, model: nn.Module, batch: Batch, reference: nn.Module | None) -> Tensor:
        """L = CE(D_r)."""
        return answer_cross_entropy(model, batch)


METHOD = GradientDifference
