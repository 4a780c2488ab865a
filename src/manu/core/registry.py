"""Files by name: those of a folder of the package that define one thing each, and extensions of the same kind."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

from manu.core import extensions
from manu.core.errors import UserError


@dataclass(frozen=True)
class Registry:
    """kind: a key of `extensions.CONSTANTS`; package: the folder's dotted name; apart: stems of files that are none."""

    kind: str
    package: str
    folder: Path
    apart: frozenset[str]

    def known(self) -> list[str]:
        """All names, sorted; nothing is imported. Raises UserError on a name that two files have."""
        own, others = self._stems, extensions.names(self.kind)
        for name in sorted(own & others):
            raise extensions.twice(self.kind, name, self._own(name), extensions.file(self.kind, name))
        return sorted(own | others)

    def file(self, name: str) -> Path:
        """The file of that name. Raises UserError that lists the known names."""
        if name not in (known := self.known()):
            raise UserError(f"unknown {self.kind} {name!r}; known: {', '.join(known)}")
        return self._own(name) if self._is_own(name) else extensions.file(self.kind, name)

    def module(self, name: str) -> ModuleType:
        """The module, imported when it is asked for. Raises UserError as `file` and `extensions.load` do."""
        file = self.file(name)
        return import_module(f"{self.package}.{name}") if self._is_own(name) else extensions.load(file)

    def definition(self, name: str, mistake: Callable[[object], str | None]):
        """What the module's constant holds. mistake: what is wrong with it, if anything; raised as UserError."""
        module, constant = self.module(name), extensions.CONSTANTS[self.kind]
        found = getattr(module, constant, None)
        if wrong := mistake(found):
            raise UserError(f"{self.file(name)}: {constant} {wrong}")
        return found

    @cached_property
    def _stems(self) -> set[str]:
        return {file.stem for file in self.folder.glob("*.py")} - self.apart

    def _is_own(self, name: str) -> bool:
        return name in self._stems

    def _own(self, name: str) -> Path:
        return self.folder / f"{name}.py"
