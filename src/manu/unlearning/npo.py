"""Negative preference optimisation: push forget answers below the vanilla model's likelihood."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manu.training.losses import answer_log_likelihood
from manu.unlearning.base import Batches, TrainingMethod, require


@dataclass(frozen=True, kw_only=True)
class NegativePreferenceOptimization(TrainingMethod):
    """Zhang et al. 2024. beta: inverse temperature; towards 0 the loss becomes gradient ascent."""

    needs_reference: ClassVar[bool] = True

    beta: float = 0.4

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta > 0, "beta", self.beta, "above 0")

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module) -> Tensor:
        """L = (2 / beta) * mean over D_f of log(1 + (pi / pi_ref)^beta), pi the likelihood of a whole answer."""
        with torch.no_grad():
            vanilla = answer_log_likelihood(reference, batches.forget)
        log_ratio = answer_log_likelihood(model, batches.forget) - vanilla
        # log(1 + r^beta) = -log sigmoid(-beta log r), which never forms the ratio itself
        return -2 / self.beta * F.logsigmoid(-self.beta * log_ratio).mean()


METHOD = NegativePreferenceOptimization
