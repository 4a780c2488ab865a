"""Rule measure_statistics: one pass over forget and retain lessons, in both modalities.

Stage one of MANU: nothing but the running sums is kept, and every importance comes from them. Gradient statistics
take a backward pass as well.
"""

from itertools import islice

import numpy as np

from manu.data.mllmu import forget_config, read_lessons_of, read_names, retain_people
from manu.neurons.measuring import measure_gradients, measure_modality, measure_released
from manu.neurons.statistics import SETS
from manu.stages.command import StageParser, progress, run
from manu.stages.models import load_model
from manu.training.answers import answer_log_likelihood
from manu.training.curriculum import MODALITIES, Curriculum


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__)
    options.read("benchmark")
    options.read("vanilla")
    options.write("out")
    options.add_argument("--ratio", type=int, required=True, help="forget ratio in percent; 0: the tuning people")
    options.add_argument("--kind", choices=["modality", "released", "gradient"], required=True)
    return options


def main(options, config) -> str:
    """Measure and write the statistics --out."""
    settings = config["statistics"]
    adapter = load_model(config, options.vanilla)
    size = settings["batch_size"]
    rng = np.random.default_rng(config["seed"])
    curricula = {}
    for data_set, people in zip(SETS, ((forget_config(options.ratio),), retain_people(options.ratio))):
        lessons, names = read_lessons_of(options.benchmark, *people), read_names(options.benchmark, *people)
        curricula[data_set] = Curriculum(adapter).add(lessons, names, paired=True)
    # All forget pairs, and as many retain batches, shuffled (as the released code takes them).
    batches = {}
    for modality in MODALITIES:
        count = curricula["forget"].batches_per_epoch(size, modality)
        for data_set in SETS:
            some = islice(curricula[data_set].stream(modality, size, rng), count)
            batches[data_set, modality] = progress(some, f"{config['model']} {data_set} {modality}", count)
    units = sum(site.width for site in adapter.mlp_sites())
    if options.kind == "gradient":

        def loss(model, batch):  # of each sample: minus the log-likelihood of its answer
            return -answer_log_likelihood(model, batch).sum()

        statistics = measure_gradients(adapter.model, adapter.mlp_sites(), batches, loss)
    elif options.kind == "modality":
        settings = settings["tau"], settings["milestones"], adapter.vision_mask
        statistics = measure_modality(adapter.model, adapter.mlp_sites(), batches, *settings)
    else:
        statistics = measure_released(adapter.model, adapter.linear_sites(), batches)
        units = sum(site.width for site in adapter.linear_sites())
    statistics.save(options.out)
    return f"{options.out}: {options.kind} statistics of {units} units"


if __name__ == "__main__":
    run(main, parser())
