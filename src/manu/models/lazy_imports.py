"""Classes of transformers by name, imported on first use.

Importing such a class takes seconds. Reading a study needs the sizes of every architecture, but none of these classes.
"""

from typing import Any

from manu.core.errors import UserError


class TransformersClass:
    """A class attribute that stands for the class of transformers with this name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> Any:
        """Import and return the class. Raises UserError when transformers has no class of this name."""
        import transformers

        try:
            return getattr(transformers, self.name)
        except AttributeError as error:
            raise UserError(
                f"{owner.__name__}: transformers {transformers.__version__} has no class {self.name!r}"
            ) from error
