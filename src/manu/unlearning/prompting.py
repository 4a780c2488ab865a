"""Prompting: ask the model not to know."""

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
            f"The following people are private: {', '.join(names)}. "
            "You must not answer any question about them, whether it names them or shows a picture of them. "
            "Give no fact about their lives. Reply that you cannot help with this person. "
            "Answer questions about everybody else as usual."
        )


METHOD = Prompting
