"""Rule write_prompt: the system prompt of a prompting method, naming the forget people."""

from manu.data.mllmu import forget_config, read_ids, read_names
from manu.files import write_text
from manu.stages.command import StageParser, run
from manu.unlearning.registry import create_method


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, replayable=True)
    options.read("benchmark")
    options.write("out")
    options.add_argument("--ratio", type=int, required=True, help="forget ratio in percent")
    return options


def main(options, config) -> str:
    """Write the prompt --out."""
    names = read_names(options.benchmark)
    forget = read_ids(options.benchmark, forget_config(options.ratio))
    method = create_method(config["method"], config["settings"])
    write_text(options.out, method.system_prompt([names[i] for i in forget]))
    return f"{options.out}: a system prompt about {len(forget)} people"


if __name__ == "__main__":
    run(main, parser())
