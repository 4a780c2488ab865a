"""Two joined methods, `<pruning>+<training>`: prune, then train with the pruned neurons held at zero."""

from dataclasses import MISSING, fields, make_dataclass
from functools import cache
from typing import get_type_hints

from manu.core.errors import UserError
from manu.unlearning.base import PruningMethod, TrainingMethod

JOINT = "+"


@cache
def composite_class(pruning: type[PruningMethod], training: type[TrainingMethod]) -> type[TrainingMethod]:
    """A training method with the settings of both; its `pruning` is the pruning method that comes first.

    Raises UserError when the two are of other kinds or share the name of a setting.
    """
    if not (issubclass(pruning, PruningMethod) and issubclass(training, TrainingMethod)):
        raise UserError(f"only <pruning>{JOINT}<training> can be joined, not {pruning.kind}{JOINT}{training.kind}")
    own, types = fields(pruning), get_type_hints(pruning)
    twice = {field.name for field in own} & {field.name for field in fields(training)}
    if twice:
        raise UserError(f"both methods have the setting {sorted(twice)[0]!r}: they cannot be joined")

    def first(self) -> PruningMethod:
        return pruning(**{field.name: getattr(self, field.name) for field in own})

    def check(self) -> None:
        training.__post_init__(self)
        first(self)  # checks its own settings

    return make_dataclass(
        f"{pruning.__name__}{training.__name__}",
        [(f.name, types[f.name]) if f.default is MISSING else (f.name, types[f.name], f.default) for f in own],
        bases=(training,),
        namespace={"pruning": property(first), "__post_init__": check, "prunes": pruning, "__doc__": __doc__},
        frozen=True,
        kw_only=True,
    )
