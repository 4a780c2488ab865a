"""Rule write_prompt: the system prompt of a prompting method about the forget people."""

from manu.core.files import write_text
from manu.steps.command import StageParser, run
from manu.unlearning.base import PromptingMethod
from manu.unlearning.choice import chosen_settings
from manu.unlearning.registry import create_kind
from manu.unlearning.system_prompt import system_prompt


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("benchmark")
    options.read("choice", required=False, help="the tuned settings (choice.json)")
    options.write("out")
    options.add_argument("--ratio", type=int, required=True, help="forget ratio in percent")
    return options


def main(options, config) -> str:
    """Write the prompt --out."""
    method = create_kind(PromptingMethod, config["method"], config["settings"] | chosen_settings(options.choice))
    text = system_prompt(method, options.benchmark, options.ratio)
    write_text(options.out, text)
    return f"{options.out}: a system prompt of {len(text.split())} words"


if __name__ == "__main__":
    run(main, parser())
