"""Classes of transformers by name. Importing one takes seconds; reading a study, which asks every adapter for its sizes,
needs none."""

from manu.core.errors import UserError


class OfTransformers:
    """An adapter's class attribute: the class of transformers with this name, imported when it is first read."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> type:
        """The class. Raises UserError when transformers has none of that name."""
        import transformers

        try:
            return getattr(transformers, self.name)
        except AttributeError as error:
            raise UserError(
                f"{owner.__name__}: transformers {transformers.__version__} has no class {self.name!r}"
            ) from error
