"""Task arithmetic: fine-tune on the forget set, then subtract the change."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from manu.training.losses import answer_cross_entropy
from manu.unlearning.base import Batches, TrainingMethod, require


@dataclass(frozen=True, kw_only=True)
class TaskArithmetic(TrainingMethod):
    """Ilharco et al. 2023, forgetting by negation.

    scaling: lambda, the multiple of the task vector that is subtracted; between 0 and 1 in the paper.
    """

    needs_reference: ClassVar[bool] = True

    scaling: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.scaling > 0, "scaling", self.scaling, "above 0")

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module) -> Tensor:
        """L = CE(D_f), the fine-tuning that gives the task vector."""
        return answer_cross_entropy(model, batches.forget)

    @torch.no_grad()
    def finish(self, model: nn.Module, reference: nn.Module) -> None:
        """theta = theta_vanilla - lambda * tau, with the task vector tau = theta_tuned - theta_vanilla."""
        for weight, vanilla in zip(model.parameters(), reference.parameters(), strict=True):
            weight.copy_(vanilla - self.scaling * (weight - vanilla))


METHOD = TaskArithmetic
