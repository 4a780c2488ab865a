"""Rule evaluate: put every question of every split to one model and keep every answer."""

from pathlib import Path

from manu.evaluation.answers import collect_answers
from manu.files import atomic_path
from manu.neurons.masks import apply_mask_file
from manu.stages.command import progress, run, stage_parser
from manu.stages.models import load_model


def parser():
    """Options of the rule."""
    options = stage_parser(__doc__, "benchmark", "checkpoint", "out")
    options.add_argument("--mask", type=Path, help="mask of pruned neurons to apply to the checkpoint")
    options.add_argument("--system-prompt", type=Path, help="file with a system prompt for every question")
    return options


def main(options, config) -> str:
    """Ask, score and write the answers --out (parquet)."""
    adapter = load_model(config, options.checkpoint)
    if options.mask:
        apply_mask_file(options.mask, adapter.mlp_sites(), adapter.linear_sites())
    answers = collect_answers(
        adapter,
        options.benchmark,
        config,
        config["ratios"],
        config["evaluation"],
        system=options.system_prompt.read_text(encoding="utf-8") if options.system_prompt else None,
        progress=lambda batches: progress(batches, f"{config['model']} {config['method']}"),
    )
    with atomic_path(options.out) as temporary:
        answers.to_parquet(temporary, index=False)
    return f"{options.out}: {answers['question_id'].nunique()} questions answered"


if __name__ == "__main__":
    run(main, parser())
