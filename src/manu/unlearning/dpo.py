"""Direct preference optimisation: prefer a refusal to the true answer."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manu.training.losses import answer_log_likelihood
from manu.unlearning.base import Batch, Batches, TrainingMethod, require


@dataclass(frozen=True, kw_only=True)
class DirectPreferenceOptimization(TrainingMethod):
    """Rafailov et al. 2023, Eq. 7, with refusals as the preferred answers (Maini et al. 2024, TOFU).

    beta: inverse temperature; refusal: the preferred answer.
    """

    needs_reference: ClassVar[bool] = True
    needs_refusal: ClassVar[bool] = True

    beta: float = 0.1
    refusal: str = "I don't know."

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta > 0, "beta", self.beta, "above 0")
        require(bool(self.refusal.strip()), "refusal", self.refusal, "a sentence")

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module) -> Tensor:
        """L = -mean over D_f of log sigmoid(beta * (log r(refusal) - log r(answer))), r = pi / pi_ref."""
        preferred, rejected = (self._log_ratio(model, batch, reference) for batch in (batches.refusal, batches.forget))
        return -F.logsigmoid(self.beta * (preferred - rejected)).mean()

    @staticmethod
    def _log_ratio(model: nn.Module, batch: Batch, reference: nn.Module) -> Tensor:
        with torch.no_grad():
            vanilla = answer_log_likelihood(reference, batch)
        return answer_log_likelihood(model, batch) - vanilla


METHOD = DirectPreferenceOptimization
