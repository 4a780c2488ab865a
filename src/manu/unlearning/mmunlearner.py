"""MMUnlearner: gradient difference on the weights that are more salient for the forget pictures than for the rest."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from manu.neurons.sites import MlpSite
from manu.training.losses import answer_cross_entropy
from manu.unlearning.base import Batch, Batches, TrainingMethod, require

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MMUnlearner(TrainingMethod):
    """Huo et al. 2025: gradient ascent under a weight saliency map (after Huang et al. 2024).

    threshold: a weight changes if its saliency on forget is more than this many times its saliency on the kept data.
    """

    needs_retain: ClassVar[bool] = True
    needs_knowledge: ClassVar[bool] = True

    threshold: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.threshold > 0, "threshold", self.threshold, "above 0")

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module | None) -> Tensor:
        """L = CE(D_r) - CE(D_f)."""
        return answer_cross_entropy(model, batches.retain) - answer_cross_entropy(model, batches.forget)

    def restrict(self, model: nn.Module, sites: Sequence[MlpSite], batches: Iterable[Batches]) -> dict[str, Tensor]:
        """m = [F_f / F_k > threshold] per weight; F: mean squared gradient on the forget data and on the kept data.

        The kept data are the retain questions and text questions about everybody, forget people included.
        """
        forget, kept = SquaredGradients(model), SquaredGradients(model)
        for step in batches:
            forget.update(step.forget)
            kept.update(step.retain)
            kept.update(step.knowledge)
        masks = {name: forget.mean(name) > self.threshold * kept.mean(name) for name in forget.sums}  # 0 / 0 stays
        salient = sum(mask.sum().item() for mask in masks.values()) / sum(mask.numel() for mask in masks.values())
        logger.info("%.1f percent of the weights are salient", 100 * salient)
        return masks


class SquaredGradients:
    """The squared gradient of CE for each weight, averaged over the batches that reach it (text: language only).

    The diagonal of the empirical Fisher information, batch by batch.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.sums = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.counts = dict.fromkeys(self.weights, 0)

    def update(self, batch: Batch) -> None:
        """Add a batch; the gradients stored in the weights stay as they are."""
        loss = answer_cross_entropy(self.model, batch)
        gradients = torch.autograd.grad(loss, list(self.weights.values()), allow_unused=True)
        for name, gradient in zip(self.weights, gradients, strict=True):
            if gradient is not None:
                self.sums[name] += gradient.square()
                self.counts[name] += 1

    def mean(self, name: str) -> Tensor:
        """float, the weight's shape; zero where no batch reached it."""
        return self.sums[name] / max(1, self.counts[name])


METHOD = MMUnlearner
