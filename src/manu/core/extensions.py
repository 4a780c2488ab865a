"""Files from outside the package that define a method, a model, a kind of statistics, a figure, a metric or a table.

A study names them (its key `extensions`), or an installed package offers them by entry points (`manu.methods`,
`manu.models`, `manu.statistics`, `manu.figures`, `manu.metrics`, `manu.tables`). A file defines one thing, as the
package's own files do: its stem is the name, and one constant says what kind it is. A process knows the files that its
study or its job's configuration lists.
"""

import ast
import sys
import traceback
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import cast

from manu.core.errors import UserError

CONSTANTS = {  # kind -> the constant that a file of this kind defines
    "method": "METHOD",
    "model": "MODEL",
    "statistics": "STATISTICS",
    "figure": "NEEDS",
    "metric": "METRIC",
    "table": "TABLE",
}
_named: dict[tuple[str, str], Path] = {}  # (kind, name) -> file


def add(files: Iterable[str | Path]) -> None:
    """Register files in this process, without running them.

    Raises UserError when a file is not valid Python, defines none or several of the constants, has a stem that is not
    an identifier, or has the same kind and name as another file.
    """
    for file in map(Path, files):
        kind = kind_of(file)
        registered = _named.setdefault((kind, file.stem), file)
        if registered.resolve() != file.resolve():
            raise duplicate(kind, file.stem, registered, file)


def forget() -> None:
    """Forget all registered files. Extensions of installed packages stay known."""
    _named.clear()


def named() -> list[Path]:
    """The registered files."""
    return list(_named.values())


def names(kind: str) -> set[str]:
    """The names of all extensions of a kind. Raises UserError when two files have the same name."""
    offered, added = _offered(kind), {name: file for (of, name), file in _named.items() if of == kind}
    for name in offered.keys() & added.keys():
        if (installed := _file_of(offered[name])).resolve() != added[name].resolve():
            raise duplicate(kind, name, installed, added[name])
    return offered.keys() | added.keys()


def file(kind: str, name: str) -> Path:
    """The file of an extension. Raises KeyError when the name is unknown."""
    return _named.get((kind, name)) or _file_of(_offered(kind)[name])


def duplicate(kind: str, name: str, one: Path, other: Path) -> UserError:
    """The error for two files of the same kind and name."""
    return UserError(f"{kind} {name!r} exists twice: {one} and {other}; rename one of them")


def kind_of(file: Path) -> str:
    """The kind of thing that a file defines, found without running the file. Raises UserError as `add` does."""
    if file.suffix != ".py" or not file.stem.isidentifier():
        needed = "a Python file with a name of letters, digits and _ (my_method.py)"
        raise UserError(f"{file} is not an extension; needed: {needed}")
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except SyntaxError as error:
        raise UserError(f"{file}, line {error.lineno or 1}: not valid Python: {error.msg}") from error
    found = [kind for kind, constant in CONSTANTS.items() if constant in _constants(tree)]
    if len(found) != 1:
        known = ", ".join(f"{constant} (a {kind})" for kind, constant in CONSTANTS.items())
        defines = " and ".join(CONSTANTS[kind] for kind in found) or "none of them"
        raise UserError(f"{file} defines {defines}; needed: exactly one of {known}")
    return found[0]


def load(file: Path) -> ModuleType:
    """Import a file as a module with a unique name, and return the module.

    When the file raises an exception, raises UserError: one line with the file, the line and the exception.
    """
    content = file.read_bytes()
    name = f"manu_extension_{file.stem}_{sha256(bytes(file.resolve()) + content).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    path = str(file.absolute())
    module = sys.modules[name] = module_from_spec(cast(ModuleSpec, spec_from_file_location(name, path)))
    try:
        # compiles the bytes that were hashed; reads and writes no .pyc file
        exec(compile(content, path, "exec", dont_inherit=True), vars(module))  # noqa: S102 - the user named this file
    except Exception as error:  # a user's file may raise anything
        del sys.modules[name]
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == path]
        where = f"{file}, line {lines[-1]}" if lines else file
        raise UserError(f"{where}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    return module


def _constants(tree: ast.Module) -> set[str]:
    """Names assigned at the top level of a module."""
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


@cache
def _offered(kind: str) -> dict[str, EntryPoint]:
    """The entry points of installed packages, by name. Raises UserError when two have the same name."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"manu.{kind.removesuffix('s')}s"):
        if found.setdefault(point.name, point).value != point.value:
            raise duplicate(kind, point.name, _file_of(found[point.name]), _file_of(point))
    return found


def _file_of(point: EntryPoint) -> Path:
    """The file of an entry point's module."""
    where = f"entry point {point.name} of {point.group}"
    try:
        spec = find_spec(point.module)  # imports the parent packages, which may raise anything
    except Exception as error:
        raise UserError(f"{where}: {point.module}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    if spec is None or not spec.origin:
        raise UserError(f"{where}: there is no module {point.module}")
    return Path(spec.origin)
