"""Rule probe_capacity: what random pruning costs the vanilla model.

A model whose neurons can go at random without loss is too large for its knowledge, and no pruning result
on it means anything. Random neurons are pruned at several ratios and the people asked again.
"""

import pandas as pd

from manu.evaluation.answers import collect_answers
from manu.files import atomic_path
from manu.neurons.masks import apply_mask
from manu.neurons.selection import random_selection
from manu.stages.command import progress, run, stage_parser
from manu.stages.models import load_model


def main(options, config) -> str:
    """Write the accuracy by prune ratio, split, modality and task --out (CSV)."""
    tables = []
    for ratio in [0, *config["prune_ratios"]]:
        adapter = load_model(config, options.vanilla)
        if ratio:
            sites = adapter.mlp_sites()
            widths = {site.name: site.width for site in sites}
            apply_mask(sites, random_selection(widths, ratio, config["seed"]).masks)
        answers = collect_answers(
            adapter,
            options.benchmark,
            config | {"method": "random"},
            [max(config["forget_ratios"])],
            config["evaluation"],
            progress=lambda batches, ratio=ratio: progress(batches, f"{config['model']} random {ratio}%"),
        )
        scored = answers.dropna(subset="correct").groupby(["split", "modality", "task"], sort=False)["correct"]
        tables.append(scored.agg(accuracy="mean", n="count").reset_index().assign(prune_ratio=ratio))
    table = pd.concat(tables, ignore_index=True).assign(model=config["model"], seed=config["seed"])
    whole = table[table["prune_ratio"] == 0].set_index(["split", "modality", "task"])["accuracy"]
    places = pd.MultiIndex.from_frame(table[["split", "modality", "task"]])
    table["cost"] = whole.loc[places].to_numpy() - table["accuracy"]
    with atomic_path(options.out) as temporary:
        table[["model", "seed", "prune_ratio", "split", "modality", "task", "accuracy", "n", "cost"]].to_csv(
            temporary, index=False, float_format="%.6f", lineterminator="\n"
        )
    worst = table.groupby("prune_ratio")["cost"].max().drop(0)
    costs = ", ".join(f"{ratio}%: {100 * cost:.0f}" for ratio, cost in worst.items())
    return f"{options.out}: random pruning costs at most (points) {costs}"


if __name__ == "__main__":
    run(main, stage_parser(__doc__, "benchmark", "vanilla", "out"))
