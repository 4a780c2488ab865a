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
    """Write the accuracy by prune ratio, split, modality and task --out (CSV); ratio 0 is vanilla itself."""
    ratio = max(config["forget_ratios"])
    vanilla = pd.read_parquet(options.answers)
    tables = [_accuracy(vanilla[vanilla["forget_ratio"] == ratio], 0)]
    for share in config["prune_ratios"]:
        adapter = load_model(config, options.vanilla)
        sites = adapter.mlp_sites()
        apply_mask(sites, random_selection({s.name: s.width for s in sites}, share, config["seed"]).masks)
        answers = collect_answers(
            adapter,
            options.benchmark,
            config | {"method": "random"},
            [ratio],
            config["evaluation"],
            progress=lambda batches, share=share: progress(batches, f"{config['model']} random {share}%"),
        )
        tables.append(_accuracy(answers, share))
    table = pd.concat(tables, ignore_index=True).assign(model=config["model"], seed=config["seed"])
    whole = table[table["prune_ratio"] == 0].set_index(["split", "modality", "task"])["accuracy"]
    places = pd.MultiIndex.from_frame(table[["split", "modality", "task"]])
    table["cost"] = whole.loc[places].to_numpy() - table["accuracy"]
    with atomic_path(options.out) as temporary:
        table[["model", "seed", "prune_ratio", "split", "modality", "task", "accuracy", "n", "cost"]].to_csv(
            temporary, index=False, float_format="%.6f", lineterminator="\n"
        )
    worst = table.groupby("prune_ratio")["cost"].max().drop(0)
    costs = ", ".join(f"{share}%: {100 * cost:.0f}" for share, cost in worst.items())
    return f"{options.out}: random pruning costs at most (points) {costs}"


def _accuracy(answers: pd.DataFrame, share: int) -> pd.DataFrame:
    cells = answers.dropna(subset="correct").groupby(["split", "modality", "task"], sort=False)["correct"]
    return cells.agg(accuracy="mean", n="count").reset_index().assign(prune_ratio=share)


if __name__ == "__main__":
    run(main, stage_parser(__doc__, "benchmark", "vanilla", "answers", "out"))
