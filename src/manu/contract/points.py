"""A contract is a list of checks: each one's docstring says what must hold, and it raises Broken with what does not."""

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

Subject = TypeVar("Subject")


class Broken(Exception):
    """A contract point that does not hold: what was found, and what would be right."""


@dataclass(frozen=True)
class Point:
    """A contract point in words, and what is wrong; None: it holds."""

    says: str
    problem: str | None

    def __str__(self) -> str:
        return f"ok    {self.says}" if self.problem is None else f"FAIL  {self.says}: {self.problem}"


def must(holds: bool, problem: str) -> None:
    """Raise Broken unless something holds."""
    if not holds:
        raise Broken(problem)


def judged(checks: Iterable[Callable[[Subject], None]], subject: Subject) -> Iterator[Point]:
    """Every check's point. Whatever else a check raises, in the user's file or because of it, is a problem, too."""
    for check in checks:
        problem = None
        try:
            check(subject)
        except Broken as error:
            problem = str(error)
        except Exception as error:  # whatever a user's file may make of it
            last = traceback.extract_tb(error.__traceback__)[-1]
            problem = f"{type(error).__name__}: {' '.join(str(error).split())} ({last.filename}, line {last.lineno})"
        yield Point(check.__doc__.strip().removesuffix("."), problem)
