"""Files from outside the package that define a method, a model, a figure, a metric or a table.

A study names them (its key `extensions`), or an installed package offers them by entry points (`manu.methods`,
`manu.models`, `manu.figures`, `manu.metrics`, `manu.tables`). A file defines one thing, as the package's own files do: its stem is the
thing's name, one constant says what it is. A process knows those that its study or its job's configuration lists.
"""

import ast
import sys
import traceback
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from manu.core.errors import UserError

CONSTANTS = {"method": "METHOD", "model": "MODEL", "figure": "NEEDS", "metric": "METRIC", "table": "TABLE"}
_named: dict[tuple[str, str], Path] = {}  # (kind, name) -> file


def add(files: Iterable[str | Path]) -> None:
    """Make files known to this process; none of them is run.

    Raises UserError on a file that cannot be read as Python, defines none or several of the constants, has a stem that
    is no name, or has the kind and name of another.
    """
    for file in map(Path, files):
        kind = kind_of(file)
        there = _named.setdefault((kind, file.stem), file)
        if there.resolve() != file.resolve():
            raise twice(kind, file.stem, there, file)


def forget() -> None:
    """Know no files any more but those of installed packages."""
    _named.clear()


def named() -> list[Path]:
    """The files that were added."""
    return list(_named.values())


def names(kind: str) -> set[str]:
    """The names of all extensions of a kind. Raises UserError where two files have one."""
    offered, added = _offered(kind), {name: file for (of, name), file in _named.items() if of == kind}
    for name in offered.keys() & added.keys():
        if (installed := _file_of(offered[name])).resolve() != added[name].resolve():
            raise twice(kind, name, installed, added[name])
    return offered.keys() | added.keys()


def file(kind: str, name: str) -> Path:
    """The file of one of them."""
    return _named.get((kind, name)) or _file_of(_offered(kind)[name])


def twice(kind: str, name: str, one: Path, other: Path) -> UserError:
    """What to say about two files with one name."""
    return UserError(f"{kind} {name!r} exists twice: {one} and {other}; rename one of them")


def kind_of(file: Path) -> str:
    """What a file defines, by its constant, found without running it. Raises UserError, as `add` does."""
    if file.suffix != ".py" or not file.stem.isidentifier():
        needed = "a Python file, its name of letters, digits and _ (my_method.py)"
        raise UserError(f"{file} is no extension; needed: {needed}")
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
    """Run a file as a module of its own, under a name that no other module has.

    Raises UserError (one line, with the line of the file) on whatever the file raises.
    """
    content = file.read_bytes()
    name = f"manu_extension_{file.stem}_{sha256(bytes(file.resolve()) + content).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    module = sys.modules[name] = module_from_spec(spec)
    try:
        # these bytes, not some that were compiled before; no compiled file is left beside them
        exec(spec.loader.source_to_code(content, spec.origin), vars(module))
    except Exception as error:  # whatever a user's file may raise
        del sys.modules[name]
        passed = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in passed if frame.filename == spec.origin]
        where = f"{file}, line {lines[-1]}" if lines else file
        raise UserError(f"{where}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    return module


def _constants(tree: ast.Module) -> set[str]:
    """Names that a module assigns at its top level."""
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


@cache
def _offered(kind: str) -> dict[str, EntryPoint]:
    """The entry points of installed packages, by name. Raises UserError where two have one."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"manu.{kind}s"):
        if found.setdefault(point.name, point).value != point.value:
            raise twice(kind, point.name, _file_of(found[point.name]), _file_of(point))
    return found


def _file_of(point: EntryPoint) -> Path:
    """The file of an entry point's module."""
    where = f"entry point {point.name} of {point.group}"
    try:
        spec = find_spec(point.module)  # runs the folders that it lies in
    except Exception as error:  # whatever they may raise
        raise UserError(f"{where}: {point.module}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    if spec is None or not spec.origin:
        raise UserError(f"{where}: there is no module {point.module}")
    return Path(spec.origin)
