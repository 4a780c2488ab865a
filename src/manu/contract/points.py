"""A contract is a list of checks. A check's docstring says what must hold; the check raises Broken if it does not."""

import site
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import manu
from manu.core.errors import UserError

Subject = TypeVar("Subject")


class Broken(Exception):
    """A contract point does not hold: what was found, and what would be right."""


@dataclass(frozen=True)
class Point:
    """A contract point in words, and its problem; None: it holds."""

    says: str
    problem: str | None

    def __str__(self) -> str:
        return f"ok    {self.says}" if self.problem is None else f"FAIL  {self.says}: {self.problem}"


def must(holds: bool, problem: str) -> None:
    """Raise Broken unless something holds."""
    if not holds:
        raise Broken(problem)


def judged(checks: Iterable[Callable[[Subject], None]], subject: Subject) -> Iterator[Point]:
    """The point of every check. Any other error in a check, such as one in the user's file, is a problem, too."""
    for check in checks:
        problem = None
        try:
            check(subject)
        except Broken as error:
            problem = str(error)
        except Exception as error:  # whatever a user's file may raise
            kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            problem = f"{kind}{' '.join(str(error).split())} ({place(error)})"
        yield Point((check.__doc__ or check.__name__).strip().removesuffix("."), problem)


def place(error: Exception) -> str:
    """File and line of an error: in the user's own file if the error passed through it, else where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    known = [frame for frame in frames if not frame.filename.startswith((*site.getsitepackages(), "<"))] or frames
    own = [frame for frame in known if not frame.filename.startswith(str(Path(manu.__file__).parent))]
    last = (own or known)[-1]
    return f"{last.filename}, line {last.lineno}"
