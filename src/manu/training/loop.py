"""The training loop: AdamW, a learning-rate schedule, clipped gradients; it stops when the loss is not finite."""

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import torch

from manu.core.errors import NotFinite
from manu.training.halving import halving
from manu.training.lora import Lora, adapted
from manu.training.restriction import restricted

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Optimisation:
    """learning_rate: the peak; schedule: "one_cycle" (10 percent warm-up, cosine decay; for training from scratch),
    "linear" (decay to zero without warm-up, as the released code unlearns) or "constant"."""

    learning_rate: float
    steps: int
    schedule: str = "one_cycle"
    weight_decay: float = 0.0
    clip: float = 1.0

    def scheduler(self, optimiser: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        """The learning-rate schedule. Raises ValueError when its name is unknown."""
        if self.schedule == "one_cycle":
            return torch.optim.lr_scheduler.OneCycleLR(
                optimiser, max_lr=self.learning_rate, total_steps=max(self.steps, 2), pct_start=0.1
            )
        if self.schedule == "linear":
            return torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / self.steps)
        if self.schedule == "constant":
            return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
        raise ValueError(f"unknown schedule {self.schedule!r}; known: one_cycle, linear, constant")


class Diverged(NotFinite):
    """The loss became infinite or not a number."""


def fit(
    model: "PreTrainedModel",
    batches: Iterable[Item],
    loss: Callable[[Item], torch.Tensor],
    optimisation: Optimisation,
    masks: Mapping[str, torch.Tensor] | None = None,
    lora: Lora | None = None,
) -> list[float]:
    """Train `model` in place, one step per item of `batches`, and return the loss of each step.

    masks: the weights that may change, by parameter name; all others keep their bytes (manu.training.restriction).
    lora: the adapters that learn in place of the weights (manu.training.lora). If a step does not fit into memory, the
    model takes its batches in parts from then on (manu.training.halving). Raises Diverged, with the step, when a loss
    is not finite, and ValueError for masks with weight decay, which would move every weight.
    """
    if masks is not None and optimisation.weight_decay:
        raise ValueError(f"weight_decay {optimisation.weight_decay} would move weights outside the masks; needed: 0")
    with adapted(model, lora, masks) as held, restricted(model, held), halving(model) as at_most:
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(
            parameters,
            lr=optimisation.learning_rate,
            weight_decay=optimisation.weight_decay,
            betas=(0.9, 0.98),
            fused=True,
        )
        schedule = optimisation.scheduler(optimiser)
        model.train()
        losses = []

        def differentiated(step: int, batch: Item) -> float:
            optimiser.zero_grad(set_to_none=True)
            value = loss(batch)
            if not math.isfinite(number := value.item()):
                raise Diverged(f"step {step}: the loss is {number}")
            value.backward()
            return number

        for step, batch in enumerate(batches):
            losses.append(at_most(partial(differentiated, step, batch)))
            torch.nn.utils.clip_grad_norm_(parameters, optimisation.clip)
            optimiser.step()
            schedule.step()
            if step % 50 == 0:
                log.info("step %d of %d: loss %.4f", step, optimisation.steps, losses[-1])
        model.eval()
        return losses
