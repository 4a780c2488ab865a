"""KL minimisation: ascent on the forget answers; on the retain answers, descent and closeness to the vanilla model."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from manu.core.batch import Batch
from manu.training.losses import answer_cross_entropy, answer_tokens, divergence_from
from manu.unlearning.base import ForgetAndRetain


@dataclass(frozen=True, kw_only=True)
class KLMinimization(ForgetAndRetain):
    """Nguyen et al. 2020, as in MLLMU-Bench's script: its schedule, and its loss on retain."""

    needs_reference: ClassVar[bool] = True

    def forget_loss(self, model: nn.Module, batch: Batch, reference: nn.Module) -> Tensor:
        """L = -CE(D_f)."""
        return -answer_cross_entropy(model, batch)

    def retain_loss(self, model: nn.Module, batch: Batch, reference: nn.Module) -> Tensor:
        """L = CE(D_r) + KL(vanilla || current), the divergence summed over an answer's tokens, mean over answers."""
        current = answer_tokens(model, batch)
        divergence = divergence_from(reference, batch, current.logits)
        return F.cross_entropy(current.logits, current.targets) + divergence / current.samples


METHOD = KLMinimization
