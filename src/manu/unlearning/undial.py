"""UNDIAL: distil the vanilla model with the memorised token made less likely."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manu.training.losses import answer_tokens
from manu.unlearning.base import Batches, TrainingMethod, require


@dataclass(frozen=True, kw_only=True)
class SelfDistillation(TrainingMethod):
    """Dong et al. 2025 (UNDIAL: self-distillation with adjusted logits).

    gamma: subtracted from the logit of the memorised token; the published search is over 3, 10 and 30.
    """

    needs_reference: ClassVar[bool] = True

    gamma: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.gamma > 0, "gamma", self.gamma, "above 0")

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module) -> Tensor:
        """L = H(softmax(z_ref - gamma * onehot(answer)), p), the cross-entropy averaged over forget answer tokens."""
        with torch.no_grad():
            vanilla = answer_tokens(reference, batches.forget)
            memorised = F.one_hot(vanilla.targets, vanilla.logits.shape[-1])
            teacher = (vanilla.logits - self.gamma * memorised).softmax(-1)
        return F.cross_entropy(answer_tokens(model, batches.forget).logits, teacher)


METHOD = SelfDistillation
