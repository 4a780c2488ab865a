"""Negative preference optimisation: push forget answers below a reference model's likelihood."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manu.training.losses import answer_log_likelihood
from manu.unlearning.base import RETAIN_ONLY, VANILLA, Batches, TrainingMethod, require, require_known


@dataclass(frozen=True, kw_only=True)
class NegativePreferenceOptimization(TrainingMethod):
    """Zhang et al. 2024. beta: inverse temperature; towards 0 the loss becomes gradient ascent.

    reference: whose likelihood pi_ref is: "vanilla", as in the paper of NPO, or "retain_only", the model trained on the
    retain set alone, as in MLLMU-Bench's script.
    """

    needs_reference: ClassVar[bool] = True

    beta: float = 0.4
    reference: str = VANILLA

    @property
    def reference_model(self) -> str:
        """As the setting says."""
        return self.reference

    def __post_init__(self) -> None:
        super().__post_init__()
        require_known("reference", (self.reference,), (VANILLA, RETAIN_ONLY))
        require(self.beta > 0, "beta", self.beta, "above 0")

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module) -> Tensor:
        """L = (2 / beta) * mean over D_f of log(1 + (pi / pi_ref)^beta), pi the likelihood of a whole answer."""
        with torch.no_grad():
            given = answer_log_likelihood(reference, batches.forget)
        log_ratio = answer_log_likelihood(model, batches.forget) - given
        # log(1 + r^beta) = -log sigmoid(-beta log r), which never forms the ratio itself
        return -2 / self.beta * F.logsigmoid(-self.beta * log_ratio).mean()


METHOD = NegativePreferenceOptimization
