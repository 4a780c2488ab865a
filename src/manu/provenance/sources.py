"""Which files of the package a stage runs: what it imports, directly or not, found without running it.

The workflow lists these files as inputs of the stage's jobs, so that editing one reruns those jobs and no
others. Imports inside functions count; a module imported by its name at run time (a method, an adapter,
a figure, each in the package or outside of it) does not, and is given as an extra file by the rule that knows its name.
"""

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def source_files(stage: str, *extra: str | Path, package: Path = PACKAGE) -> list[str]:
    """Sorted paths, relative to the working folder, of a stage module, of the files in `extra`, and of everything
    that they import from the package, `__init__` files included.

    stage: a module of `<package>.steps`, such as "unlearn". Raises FileNotFoundError if it does not exist.
    """
    package = package.resolve()
    start = [package / "steps" / f"{stage}.py", *(Path(path).resolve() for path in extra)]
    found: set[Path] = set()
    for path in start:
        _follow(path, package, found)
    return sorted(os.path.relpath(path) for path in found)


def _follow(path: Path, package: Path, found: set[Path]) -> None:
    waiting = [path]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imports(path, package, path.stat().st_mtime_ns)


@cache
def _imports(path: Path, package: Path, modified: int) -> tuple[Path, ...]:
    """The package's files that one file imports, and the `__init__` files of the folders it lies in.

    modified: the file's time of change, so that an edit is not answered from the cache.
    """
    files: set[Path] = set()
    for parent in path.parents:
        if parent != package and package not in parent.parents:
            break
        files.add(parent / "__init__.py")
    for module in _imported_modules(ast.parse(path.read_bytes(), str(path)), path, package):
        files |= _module_files(module, package)
    return tuple(sorted(file for file in files if file.is_file()))


def _imported_modules(tree: ast.AST, path: Path, package: Path) -> Iterator[list[str]]:
    """Dotted names, split, that a file imports; `from a import b` gives a and a.b, as b may be a module."""
    here = [package.name, *path.relative_to(package).parts[:-1]] if package in path.parents else []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) + 1 - node.level] if node.level else []
            base = above + (node.module.split(".") if node.module else [])
            yield base
            yield from ([*base, alias.name] for alias in node.names)


def _module_files(module: list[str], package: Path) -> set[Path]:
    """The files behind a dotted name: `__init__` of each folder on the way, then the module itself."""
    if module[:1] != [package.name]:
        return set()
    files, folder = {package / "__init__.py"}, package
    for part in module[1:]:
        files.add(folder / f"{part}.py")
        folder /= part
        files.add(folder / "__init__.py")
    return files
