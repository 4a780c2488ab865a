"""Rule measure_statistics: one pass over forget and retain lessons, in both modalities.

Stage one of MANU: nothing but the running sums is kept, and every importance comes from them. Gradient statistics
take a backward pass as well.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from manu.data.profiles import forget_config, retain_people
from manu.data.reading import read_names, read_training_data_of
from manu.models.base import VisionLanguageModel
from manu.neurons.measuring import measure_gradients, measure_modality, measure_released
from manu.neurons.released import ReleasedStatistics
from manu.neurons.sensitivity import GradientStatistics
from manu.neurons.statistics import SETS, RunningStatistics
from manu.steps.command import StageParser, progress, run
from manu.steps.models import load_model
from manu.training.dataset import MODALITIES, TrainingSet
from manu.training.losses import answer_log_likelihood


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True)
    options.read("benchmark")
    options.read("vanilla")
    options.write("out")
    options.add_argument("--ratio", type=int, required=True, help="forget ratio in percent; 0: the tuning people")
    options.add_argument("--kind", choices=["modality", "released", "gradient"], required=True)
    return options


def measured(
    config: dict, vlm: VisionLanguageModel, benchmark: Path, ratio: int, kind: str, earlier: Sequence[str] = ()
) -> RunningStatistics | ReleasedStatistics | GradientStatistics:
    """Statistics of one kind on the people of a forget ratio and on their retain people.

    config: model, seed and statistics, of the job; earlier: configurations of people who are in neither set.
    """
    settings = config["statistics"]
    size = settings["batch_size"]
    rng = np.random.default_rng(config["seed"])
    training_sets = {}
    for data_set, people in zip(SETS, ((forget_config(ratio),), retain_people(ratio))):
        lessons, names = (read(benchmark, *people, without=earlier) for read in (read_training_data_of, read_names))
        training_sets[data_set] = TrainingSet(vlm).add(lessons, names, paired=True)
    # All forget pairs, and as many retain batches, shuffled (as the released code takes them).
    batches = {}
    for modality in MODALITIES:
        count = training_sets["forget"].batches_per_epoch(size, modality)
        for data_set in SETS:
            some = islice(training_sets[data_set].stream(modality, size, rng), count)
            batches[data_set, modality] = progress(some, f"{config['model']} {data_set} {modality}", count)
    if kind == "gradient":

        def loss(model, batch):  # of each sample: minus the log-likelihood of its answer
            return -answer_log_likelihood(model, batch).sum()

        return measure_gradients(vlm.model, vlm.mlp_sites(), batches, loss)
    if kind == "modality":
        settings = settings["tau"], settings["milestones"], vlm.vision_mask
        return measure_modality(vlm.model, vlm.mlp_sites(), batches, *settings)
    return measure_released(vlm.model, vlm.linear_sites(), batches)


def main(options, config) -> str:
    """Measure and write the statistics --out."""
    vlm = load_model(config, options.vanilla)
    statistics = measured(config, vlm, options.benchmark, options.ratio, options.kind)
    statistics.save(options.out)
    return f"{options.out}: {options.kind} statistics of {sum(statistics.widths.values())} units"


if __name__ == "__main__":
    run(main, parser())
