"""The system prompt of a prompting method about the forget people of a benchmark."""

from pathlib import Path

from manu.data.profiles import forget_config
from manu.data.reading import read_names
from manu.unlearning.base import PromptingMethod


def system_prompt(method: PromptingMethod, benchmark: Path, ratio: int) -> str:
    """The method's system prompt about the forget people of a ratio, in the benchmark's order."""
    return method.system_prompt(list(read_names(benchmark, forget_config(ratio)).values()))
