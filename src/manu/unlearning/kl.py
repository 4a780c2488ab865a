"""KL minimisation: ascent on the forget answers, and closeness to the vanilla model on the retain answers."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manu.training.losses import answer_cross_entropy, answer_tokens
from manu.unlearning.base import Batches, TrainingMethod


@dataclass(frozen=True, kw_only=True)
class KLMinimization(TrainingMethod):
    """Nguyen et al. 2020 and Maini et al. 2024 (TOFU), as in MLLMU-Bench."""

    needs_reference: ClassVar[bool] = True
    needs_retain: ClassVar[bool] = True

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module) -> Tensor:
        """L = -CE(D_f) + KL(vanilla || current), the divergence averaged over retain answer tokens."""
        with torch.no_grad():
            vanilla = answer_tokens(reference, batches.retain).logits.log_softmax(-1)
        current = answer_tokens(model, batches.retain).logits.log_softmax(-1)
        divergence = F.kl_div(current, vanilla, reduction="batchmean", log_target=True)
        return divergence - answer_cross_entropy(model, batches.forget)


METHOD = KLMinimization
