"""The commands `manu methods`, `models`, `figures` and `studies`: names, each with a line of description."""

import ast
import dataclasses
import re
from pathlib import Path
from typing import Any

from manu.commands.text import in_columns
from manu.core import extensions
from manu.core.errors import UserError
from manu.study.loading import STUDIES, read_study

Item = dict[str, Any]  # "name", "about" and the keys of its kind


def methods() -> list[Item]:
    """The unlearning methods with kind and settings; a setting without a default is None."""
    from manu.unlearning.registry import known_methods, method_class, source_files

    items = []
    for name in known_methods():
        cls = method_class(name)
        settings = {field.name: _default(field) for field in dataclasses.fields(cls)}
        items.append({"name": name, "about": about(source_files(name)[0]), "kind": cls.kind, "settings": settings})
    return items


def models() -> list[Item]:
    """The vision-language models; imports none of them."""
    from manu.models.registry import known_models, source_file

    return [{"name": name, "about": about(source_file(name))} for name in known_models()]


def figures() -> list[Item]:
    """The figures; imports none of them."""
    from manu.analysis.figures.registry import known_figures, source_file

    return [{"name": name, "about": about(source_file(name))} for name in known_figures()]


def studies() -> list[Item]:
    """The files in config/studies/ with what they run; an invalid one with its mistake under "error"."""
    if not STUDIES.is_dir():
        raise UserError(f"no folder {STUDIES} here; run this command in the root of the repository")
    items = []
    for file in sorted(STUDIES.glob("*.yaml")):
        item: Item = {"name": file.stem, "about": opening_comment(file)}
        try:
            study = read_study(file.stem)
            item |= {"models": list(study.models), "methods": list(study.methods)}
            item |= {"forget_ratios": study.forget_ratios, "seeds": study.seeds}
        except UserError as error:
            item["error"] = str(error)
        items.append(item)
    extensions.forget()
    return items


def as_text(items: list[Item]) -> str:
    """Names in one column; beside each name, what the item is and has."""
    return in_columns((item["name"], "\n".join(_lines(item))) for item in items)


def about(file: Path) -> str:
    """The first paragraph of a module's docstring as one line; reads the file without importing it."""
    text = ast.get_docstring(ast.parse(file.read_bytes(), str(file))) or ""
    return " ".join(text.split("\n\n")[0].split())


def opening_comment(file: Path) -> str:
    """The first sentence of the comment at the top of a YAML file, as one line; without the line for editors."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "$schema=" not in line:
            lines.append(line.lstrip("# "))
    sentence = re.match(r".*?\.(?= |$)", " ".join(lines))
    return sentence[0] if sentence else " ".join(lines)


def _default(field: dataclasses.Field) -> Any:
    return None if field.default is dataclasses.MISSING else field.default


def _lines(item: Item) -> list[str]:
    lines = [item["about"]]
    if "kind" in item:
        settings = [name if value is None else f"{name} = {_plain(value)}" for name, value in item["settings"].items()]
        lines.append(f"{item['kind']}; settings: {', '.join(settings) or 'none'}")
    if "error" in item:
        lines.append(f"cannot be run: {item['error']}")
    elif "methods" in item:
        ratios = ", ".join(map(str, item["forget_ratios"]))
        lines.append(
            f"{', '.join(item['models'])}; {', '.join(item['methods'])}; forget {ratios} percent; "
            f"{len(item['seeds'])} seed{'s' * (len(item['seeds']) != 1)}"
        )
    return lines


def _plain(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
