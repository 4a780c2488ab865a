"""Rule write_prompt: the system prompt of a prompting method about the forget people."""

from manu.core.files import write_text
from manu.steps.command import StageParser, run
from manu.unlearning.base import PromptingMethod
from manu.unlearning.choice import chosen_settings
from manu.unlearning.registry import create_kind
from manu.unlearning.system_prompt import system_prompt


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True).read("benchmark").read("choice", required=False).write("out")
    return options.take("ratio", type=int, required=True)


def main(options, config) -> str:
    """Write the prompt --out."""
    method = create_kind(PromptingMethod, config["method"], config["settings"] | chosen_settings(options.choice))
    text = system_prompt(method, options.benchmark, options.ratio)
    write_text(options.out, text)
    return f"{options.out}: a system prompt of {len(text.split())} words"


if __name__ == "__main__":
    run(main, parser())
