"""The commands `manu methods`, `models`, `figures` and `studies`: what there is, each with a line that says what it is."""

import ast
import dataclasses
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from manu.core import extensions
from manu.core.errors import UserError
from manu.study.loading import STUDIES, load_study

_WIDTH = 110  # columns of the text
Item = dict[str, Any]  # name, about, and what else its kind has


def methods() -> list[Item]:
    """Each with its kind and settings; what must be given has no default."""
    from manu.unlearning.registry import known_methods, method_class, source_files

    found = []
    for name in known_methods():
        cls = method_class(name)
        settings = {field.name: _default(field) for field in dataclasses.fields(cls)}
        found.append({"name": name, "about": about(source_files(name)[0]), "kind": cls.kind, "settings": settings})
    return found


def models() -> list[Item]:
    """The adapters; none is imported."""
    from manu.models.registry import known_models, source_file

    return [{"name": name, "about": about(source_file(name))} for name in known_models()]


def figures() -> list[Item]:
    """The figures; none is imported."""
    from manu.analysis.figures.registry import known_figures, source_file

    return [{"name": name, "about": about(source_file(name))} for name in known_figures()]


def studies() -> list[Item]:
    """The files in config/studies/ with what they run; of one that is no valid study, the mistake."""
    found = []
    for file in sorted(STUDIES.glob("*.yaml")):
        item = {"name": file.stem, "about": opening_comment(file)}
        try:
            study = load_study(file.stem)
            keys = ("models", "methods", "forget_ratios", "seeds")
            item |= {key: list(study[key]) for key in keys}
        except UserError as error:
            item["error"] = str(error)
        found.append(item)
    extensions.forget()
    return found


LISTED: dict[str, tuple[Callable[[], list[Item]], str]] = {
    "studies": (studies, "list the studies, and what each runs"),
    "models": (models, "list the models"),
    "methods": (methods, "list the unlearning methods and their settings"),
    "figures": (figures, "list the figures that a study can have"),
}


def as_text(items: list[Item]) -> str:
    """Names in one column, and beside them what each is and has."""
    width = max(len(item["name"]) for item in items) + 2
    return "\n".join(
        f"{item['name'] if number == 0 else '':{width}}{line}".rstrip()
        for item in items
        for number, line in enumerate(_lines(item, _WIDTH - width))
    )


def about(file: Path) -> str:
    """The first paragraph of a module's docstring, in one line; the module is not run."""
    text = ast.get_docstring(ast.parse(file.read_bytes(), str(file))) or ""
    return " ".join(text.split("\n\n")[0].split())


def opening_comment(file: Path) -> str:
    """The first sentence of the comment that a YAML file begins with, in one line."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    sentence = re.match(r".*?\.(?= |$)", " ".join(lines))
    return sentence[0] if sentence else " ".join(lines)


def _default(field: dataclasses.Field) -> Any:
    return None if field.default is dataclasses.MISSING else field.default


def _lines(item: Item, width: int) -> list[str]:
    user_message = [item["about"]]
    if "kind" in item:
        given = [name if value is None else f"{name} = {_plain(value)}" for name, value in item["settings"].items()]
        user_message.append(f"{item['kind']}; settings: {', '.join(given) or 'none'}")
    if "error" in item:
        user_message.append(f"cannot be run: {item['error']}")
    elif "methods" in item:
        user_message.append(
            f"{', '.join(item['models'])}; {', '.join(item['methods'])}; forget "
            f"{', '.join(map(str, item['forget_ratios']))} percent; {len(item['seeds'])} seed(s)"
        )
    return [line for text in user_message for line in textwrap.wrap(text, width)]


def _plain(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
