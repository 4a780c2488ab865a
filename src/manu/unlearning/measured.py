"""Statistics of a model on the forget people and the retain people of a ratio."""

from collections.abc import Sequence
from itertools import islice, product
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from manu.core.batch import Batch
from manu.core.progress import progress
from manu.core.words import FORGET, MODALITIES, RETAIN, SETS
from manu.data.profiles import forget_config, retain_people
from manu.models.base import VisionLanguageModel
from manu.neurons.measuring import measure
from manu.neurons.selection import MLP_INPUT
from manu.neurons.sites import Site
from manu.neurons.statistics.base import Statistics
from manu.neurons.statistics.registry import statistics_class
from manu.training.losses import answer_log_likelihood
from manu.unlearning.training_data import training_set


def measured(
    config: dict, vlm: VisionLanguageModel, benchmark: Path, ratio: int, kind: str, earlier: Sequence[str] = ()
) -> Statistics:
    """Measure statistics of one kind: all forget questions and all retain questions, the same in both modalities.

    A kind that does not take the whole retain set gets as many retain batches as there are forget batches. config: the
    job's model, seed and `statistics` (batch_size, retain_samples if the study limits them, idle_layers if the study
    leaves them out, and the arguments of the kind); earlier: configurations of people who are in neither set. Raises
    UserError on an unknown kind.
    """
    cls, settings = statistics_class(kind), config["statistics"]
    size, limit = settings["batch_size"], settings.get("retain_samples")
    people = dict(zip(SETS, ([forget_config(ratio)], retain_people(ratio)), strict=True))
    records = {
        data_set: training_set(vlm, benchmark, configs, earlier=earlier, paired=True)
        for data_set, configs in people.items()
    }
    batches = {}
    for (place, data_set), modality in product(enumerate(SETS), MODALITIES):
        asked = limit if data_set == RETAIN and cls.whole_retain_set else None
        count = records[data_set if cls.whole_retain_set else FORGET].batches_per_epoch(size, modality)
        count = min(count, -(-asked // size)) if asked else count
        rng = np.random.default_rng([config["seed"], place])  # the same order of questions in both modalities
        some = islice(records[data_set].once(modality, size, rng, asked), count)
        batches[data_set, modality] = progress(some, f"{config['model']} {data_set} {modality}", count)
    idle = {site.name for site in vlm.mlp_sites() if not site.live and not settings.get("idle_layers", True)}
    sites = [site for site in sites_of(cls, vlm) if site.name not in idle]
    statistics = cls.at(sites, **cls.own_arguments(settings))
    return measure(statistics, vlm.model, sites, batches, vision_mask=vlm.vision_mask, loss=_answer_loss)


def sites_of(kind: type[Statistics], vlm: VisionLanguageModel) -> Sequence[Site]:
    """The sites of a model at which statistics of a kind listen."""
    return vlm.mlp_sites() if kind.unit == MLP_INPUT else vlm.linear_sites()


def _answer_loss(model: nn.Module, batch: Batch) -> Tensor:
    """The sum over the samples of minus the log-likelihood of their answers, in nats."""
    return -answer_log_likelihood(model, batch).sum()
