"""MANU as published: prune the MLP neurons whose modality-aware importance is specific to forget."""

import logging
from dataclasses import dataclass
from typing import ClassVar

from manu.core.words import MODALITIES, SETS
from manu.neurons.importance import EPS, FUNCTIONS, each_importance, importance, score
from manu.neurons.pooling import POOLINGS
from manu.neurons.selection import MLP_INPUT, RANKINGS, Selection, last_layers, select_top
from manu.neurons.statistics.modality import ALL, ModalityStatistics
from manu.unlearning.base import PruningMethod, require, require_known

PARTS = ("language", "vision")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Manu(PruningMethod):
    """Liu et al. 2025, section 3: S_n = I(D_f, n) / (I(D_r, n) + eps), top prune_ratio percent.

    functions: which importances are summed to I; pooling: how the tokens of a sample become
    one z(d); parts: whose neurons are candidates; last_layers: of how many layers, counted from the end
    of each part, 0 = all; ranking: which of them compete; samples: use the first so many of the statistics, 0 = all.
    """

    statistics: ClassVar[str] = "modality"

    functions: tuple[str, ...] = tuple(FUNCTIONS)
    pooling: str = "mean"
    parts: tuple[str, ...] = PARTS
    last_layers: int = 0
    ranking: str = "global"
    eps: float = EPS
    samples: int = ALL

    def __post_init__(self) -> None:
        super().__post_init__()
        require_known("functions", self.functions, tuple(FUNCTIONS))
        require_known("pooling", (self.pooling,), POOLINGS)
        require_known("parts", self.parts, PARTS)
        require(self.last_layers >= 0, "last_layers", self.last_layers, "0 (all) or more")
        require_known("ranking", (self.ranking,), RANKINGS)
        require(self.eps > 0, "eps", self.eps, "above 0")
        require(self.samples >= 0, "samples", self.samples, "0 (all) or more")

    def select(self, statistics: ModalityStatistics) -> Selection:
        """The neurons to prune. Raises ValueError when an importance or a score is not finite."""
        for data_set in SETS:
            multimodal, text = (statistics.samples(data_set, modality) for modality in MODALITIES)
            if multimodal != text:  # N_m and E_m are sums over samples (docs/deviations.md#energy)
                tilted = "%s set: %d multimodal but %d text samples, which tilts I_freq and I_rms"
                logger.warning(tilted, data_set, multimodal, text)
        how = (self.pooling, self.eps, self.samples)
        forget, retain = (importance(statistics, data_set, self.functions, *how) for data_set in SETS)
        scores = score(forget, retain, self.eps)
        layers = self.last_layers or len(scores)
        candidates = {site for part in self.parts for site in last_layers(scores, part, layers)}
        return select_top(
            {site: scores[site] for site in scores if site in candidates},
            self.prune_ratio,
            self.ranking,
            unit=MLP_INPUT,
            importances=each_importance(statistics, *how),
        )


METHOD = Manu
