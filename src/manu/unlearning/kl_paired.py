"""KL minimisation with a retain batch beside each forget batch, and closeness to the vanilla model alone on it."""

from dataclasses import dataclass

from torch import Tensor, nn

from manu.core.batch import Batch
from manu.training.losses import answer_tokens, divergence_from
from manu.unlearning.base import PAIRED
from manu.unlearning.kl import KLMinimization


@dataclass(frozen=True, kw_only=True)
class PairedKLMinimization(KLMinimization):
    """L = -CE(D_f) + KL(vanilla || current) on D_r in every step, as Maini et al. 2024 (TOFU)."""

    schedule: str = PAIRED

    def retain_loss(self, model: nn.Module, batch: Batch, reference: nn.Module) -> Tensor:
        """L = KL(vanilla || current), averaged over retain answer tokens."""
        current = answer_tokens(model, batch).logits
        return divergence_from(reference, batch, current) / len(current)


METHOD = PairedKLMinimization
