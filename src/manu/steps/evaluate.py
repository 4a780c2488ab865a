"""Rules evaluate_...: ask one model all questions of all splits, and write every answer.

A model whose training diverged is not asked; the answers file then records that.
"""

from manu.core.diverged import marked, write_unanswered
from manu.core.files import write_parquet
from manu.core.progress import progress
from manu.evaluation.answers import collect_answers
from manu.models.base import VisionLanguageModel
from manu.models.checkpoint import load_model
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    return read_asked(StageParser(__doc__, runs_model=True)).write("out")


def read_asked(options: StageParser) -> StageParser:
    """Add the options for the benchmark and for the model that `load_asked` loads."""
    return options.read("benchmark", "checkpoint").read("mask", "system_prompt", required=False)


def load_asked(options, config) -> tuple[VisionLanguageModel, str | None]:
    """The checkpoint with its mask applied, and the text of the system prompt, if there is one."""
    vlm = load_model(config, options.checkpoint, options.mask)
    return vlm, options.system_prompt.read_text(encoding="utf-8") if options.system_prompt else None


def main(options, config) -> str:
    """Ask the model, score the replies, and write the answers to --out (parquet). Returns a line for the log."""
    if why := marked(options.checkpoint):
        write_unanswered(options.out, config, why)
        return f"{options.out}: not asked, its training diverged ({why})"
    vlm, system = load_asked(options, config)
    answers = collect_answers(
        vlm,
        options.benchmark,
        config,
        config["ratios"],
        config["evaluation"],
        system,
        progress=lambda batches: progress(batches, f"{config['model']} {config['method']}"),
    )
    write_parquet(options.out, answers)
    return f"{options.out}: {answers['question_id'].nunique()} questions answered"


if __name__ == "__main__":
    run(main, parser())
