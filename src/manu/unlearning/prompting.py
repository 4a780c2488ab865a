"""Prompting: ask the model not to answer about the forget people."""

from dataclasses import dataclass

from manu.unlearning.base import PromptingMethod


@dataclass(frozen=True, kw_only=True)
class Prompting(PromptingMethod):
    """The benchmark's prompting baseline (MLLMU-Bench, Liu et al. 2024); the wording is ours."""

    def system_prompt(self, names: list[str]) -> str:
        """One paragraph that names the forget people. Raises ValueError without a name."""
        if not names:
            raise ValueError("prompting needs at least one name")
        return (
            f"You must not answer any question about these people: {', '.join(names)}. "
            "When asked about one of them, by name or by picture, say that you cannot help."
        )


METHOD = Prompting
