"""RMU: steer the hidden states of forget questions to a random direction, and hold those of retain questions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from manu.core.batch import without_labels
from manu.neurons.sites import MlpSite
from manu.unlearning.base import Batch, Batches, TrainingMethod, require

TRAINED = 3  # layers whose weights change: the steered one and the two before it


@dataclass(frozen=True, kw_only=True)
class RepresentationMisdirection(TrainingMethod):
    """Li et al. 2024 (WMDP), section 4; coefficient and alpha are theirs for a model of 7B.

    coefficient: c, the length of the target state of forget tokens; alpha: weight of the retain term;
    depth: of the steered layer, as a share of the language layers (theirs: layer 8 of 32); seed: of the direction.
    """

    needs_reference: ClassVar[bool] = True
    needs_retain: ClassVar[bool] = True

    coefficient: float = 6.5
    alpha: float = 1200.0
    depth: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.coefficient > 0, "coefficient", self.coefficient, "above 0")
        require(self.alpha >= 0, "alpha", self.alpha, "0 or more")
        require(0 < self.depth < 1, "depth", self.depth, "between 0 and 1")

    def loss(self, model: nn.Module, batches: Batches, reference: nn.Module) -> Tensor:
        """L = mean over D_f of |h - c u|^2 + alpha * mean over D_r of |h - h_ref|^2; means over tokens.

        h: the state after the layer at `depth`; u: a fixed random direction of length 1.
        """
        forget, retain = self._states(model, batches.forget), self._states(model, batches.retain)
        with torch.no_grad():
            vanilla = self._states(reference, batches.retain)
        target = self.coefficient * self._direction(forget.shape[-1]).to(forget)
        return _distance(forget, target) + self.alpha * _distance(retain, vanilla)

    def restrict(self, model: nn.Module, sites: Sequence[MlpSite], batches: Iterable[Batches]) -> dict[str, Tensor]:
        """The second linear layer's weights in the MLPs of the steered layer and of the two before it."""
        language = [site for site in sites if site.part == "language"]
        last = self._layer(len(language))
        trained = {id(site.second.weight) for site in language[max(0, last - TRAINED) : last]}
        return {
            name: torch.ones_like(weight, dtype=torch.bool)
            for name, weight in model.named_parameters()
            if id(weight) in trained
        }

    def _layer(self, layers: int) -> int:
        """The steered layer, counted from 1."""
        return max(1, int(self.depth * layers))

    def _states(self, model: nn.Module, batch: Batch) -> Tensor:
        """float [real tokens, width]: the states of prompt, picture and answer, without padding."""
        states = model(
            **without_labels(batch), logits_to_keep=1, output_hidden_states=True
        ).hidden_states  # embeddings first
        return states[self._layer(len(states) - 1)][batch["attention_mask"].bool()]

    def _direction(self, width: int) -> Tensor:
        """float [width]: entries uniform in [0, 1), scaled to length 1, as published."""
        entries = torch.rand(width, generator=torch.Generator().manual_seed(self.seed))
        return entries / entries.norm()


def _distance(states: Tensor, target: Tensor) -> Tensor:
    """Squared Euclidean distance, averaged over tokens."""
    return (states - target).square().sum(-1).mean()


METHOD = RepresentationMisdirection
