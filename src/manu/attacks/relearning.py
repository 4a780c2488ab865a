"""Attack: relearning. After a few steps of ordinary training, a model that only hid its knowledge shows it again.

The attacker has the plain weights: pruned units may learn again.
"""

from collections.abc import Callable, Iterator

import numpy as np

from manu.models.base import VisionLanguageModel
from manu.models.inputs import Batch
from manu.training.dataset import TrainingSet
from manu.training.loop import Optimisation, fit
from manu.training.lora import Lora
from manu.training.losses import answer_cross_entropy


def relearn(
    vlm: VisionLanguageModel,
    training_set: TrainingSet,
    learning_rate: float,
    batch_size: int,
    stops: list[int],
    rng: np.random.Generator,
    look: Callable[[int], None],
    lora: Lora | None = None,
) -> None:
    """Train the model in place, at a constant rate, up to the last of `stops`; call `look(steps)` at each of them.

    stops: ascending numbers of steps; `look` sees the model in evaluation mode. lora: the adapters that learn in place
    of the weights.
    """

    def endless() -> Iterator[Batch]:
        while True:
            for _, batch in training_set.epoch(batch_size, rng):
                yield batch

    def until_the_last() -> Iterator[Batch]:
        batches = endless()
        for step in range(stops[-1] + 1):  # `fit` takes batch k when k steps are done
            if step in stops:
                vlm.model.eval()
                look(step)
                vlm.model.train()
            if step < stops[-1]:
                yield next(batches)

    fit(
        vlm.model,
        until_the_last(),
        lambda batch: answer_cross_entropy(vlm.model, batch),
        Optimisation(learning_rate, stops[-1], schedule="constant"),
        lora=lora,
    )
