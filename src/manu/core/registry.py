"""Look up methods, models, figures and metrics by name: one file defines one of them.

The files lie in a folder of the package, or are extensions from outside (manu.core.extensions).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from manu.core import extensions
from manu.core.errors import UserError


@dataclass(frozen=True)
class Registry:
    """All definitions of one kind.

    kind: a key of `extensions.CONSTANTS`. package, folder: dotted name and path of the package's own files.
    excluded: stems of files in the folder that define nothing.
    """

    kind: str
    package: str
    folder: Path
    excluded: frozenset[str]

    def known(self) -> list[str]:
        """All names, sorted, without importing any file. Raises UserError when two files have the same name."""
        own, others = self._stems, extensions.names(self.kind)
        for name in sorted(own & others):
            raise extensions.duplicate(self.kind, name, self._own(name), extensions.file(self.kind, name))
        return sorted(own | others)

    def file(self, name: str) -> Path:
        """The file that defines `name`. Raises UserError, with the known names, when there is none."""
        if name not in (known := self.known()):
            raise UserError(f"unknown {self.kind} {name!r}; known: {', '.join(known)}")
        return self._own(name) if self._is_own(name) else extensions.file(self.kind, name)

    def module(self, name: str) -> ModuleType:
        """Import the module that defines `name`. Raises UserError as `file` and `extensions.load` do."""
        file = self.file(name)
        return import_module(f"{self.package}.{name}") if self._is_own(name) else extensions.load(file)

    def definition(self, name: str, mistake: Callable[[object], str | None]) -> Any:
        """The value of the module's constant (`extensions.CONSTANTS`).

        mistake: returns what is wrong with the value, or None. Raises UserError with that text.
        """
        module, constant = self.module(name), extensions.CONSTANTS[self.kind]
        value = getattr(module, constant, None)
        if wrong := mistake(value):
            raise UserError(f"{self.file(name)}: {constant} {wrong}")
        return value

    @cached_property
    def _stems(self) -> set[str]:
        return {file.stem for file in self.folder.glob("*.py")} - self.excluded

    def _is_own(self, name: str) -> bool:
        return name in self._stems

    def _own(self, name: str) -> Path:
        return self.folder / f"{name}.py"
