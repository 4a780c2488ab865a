"""Rule measure_statistics: one pass over forget and retain lessons, in both modalities.

Stage one of MANU: nothing but the running sums is kept, and every importance comes from them. Gradient statistics
take a backward pass as well.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from manu.data.profiles import forget_config, retain_people
from manu.data.reading import read_lessons_of, read_names
from manu.models.base import Adapter
from manu.neurons.measuring import measure_gradients, measure_modality, measure_released
from manu.neurons.released import ReleasedStatistics
from manu.neurons.sensitivity import GradientStatistics
from manu.neurons.statistics import SETS, RunningStatistics
from manu.stages.command import StageParser, progress, run
from manu.stages.models import load_model
from manu.training.answers import answer_log_likelihood
from manu.training.curriculum import MODALITIES, Curriculum


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
    config: dict, adapter: Adapter, benchmark: Path, ratio: int, kind: str, earlier: Sequence[str] = ()
) -> RunningStatistics | ReleasedStatistics | GradientStatistics:
    """Statistics of one kind on the people of a forget ratio and on their retain people.

    config: model, seed and statistics, of the job; earlier: configurations of people who are in neither set.
    """
    settings = config["statistics"]
    size = settings["batch_size"]
    rng = np.random.default_rng(config["seed"])
    curricula = {}
    for data_set, people in zip(SETS, ((forget_config(ratio),), retain_people(ratio))):
        lessons, names = (read(benchmark, *people, without=earlier) for read in (read_lessons_of, read_names))
        curricula[data_set] = Curriculum(adapter).add(lessons, names, paired=True)
    # All forget pairs, and as many retain batches, shuffled (as the released code takes them).
    batches = {}
    for modality in MODALITIES:
        count = curricula["forget"].batches_per_epoch(size, modality)
        for data_set in SETS:
            some = islice(curricula[data_set].stream(modality, size, rng), count)
            batches[data_set, modality] = progress(some, f"{config['model']} {data_set} {modality}", count)
    if kind == "gradient":

        def loss(model, batch):  # of each sample: minus the log-likelihood of its answer
            return -answer_log_likelihood(model, batch).sum()

        return measure_gradients(adapter.model, adapter.mlp_sites(), batches, loss)
    if kind == "modality":
        settings = settings["tau"], settings["milestones"], adapter.vision_mask
        return measure_modality(adapter.model, adapter.mlp_sites(), batches, *settings)
    return measure_released(adapter.model, adapter.linear_sites(), batches)


def main(options, config) -> str:
    """Measure and write the statistics --out."""
    adapter = load_model(config, options.vanilla)
    statistics = measured(config, adapter, options.benchmark, options.ratio, options.kind)
    statistics.save(options.out)
    return f"{options.out}: {options.kind} statistics of {sum(statistics.widths.values())} units"


if __name__ == "__main__":
    run(main, parser())
