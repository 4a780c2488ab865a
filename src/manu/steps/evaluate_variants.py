"""Rule evaluate_variants: ask the vanilla model the ablation's questions under the mask of every variant.

Reads the configuration's `variants` (names, in the order of the masks) and the keys of an evaluation.
"""

import pandas as pd

from manu.core.files import write_parquet
from manu.core.progress import progress
from manu.evaluation.answers import collect_answers
from manu.models.checkpoint import load_model
from manu.neurons.masks import apply_mask, load_mask
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    return StageParser(__doc__, runs_model=True).read("benchmark", "checkpoint").read("masks", nargs="+").write("out")


def main(options, config) -> str:
    """Write the answers of all variants to --out (parquet), with the variant in the column `method`."""
    asked = []
    under = list(zip(config["variants"], options.masks, strict=True))
    for variant, mask in progress(under, f"{config['model']} variants"):
        vlm = load_model(config, options.checkpoint)
        apply_mask(load_mask(mask), vlm.mlp_sites(), vlm.linear_sites())
        keys = {**config, "method": variant}
        asked.append(collect_answers(vlm, options.benchmark, keys, config["ratios"], config["evaluation"]))
    write_parquet(options.out, pd.concat(asked, ignore_index=True))
    return f"{options.out}: {len(asked)} variants asked"


if __name__ == "__main__":
    run(main, parser())
