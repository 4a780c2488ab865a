"""Write what the models of a study say: config/study.schema.json for editors, and the table of config/README.md.

`python -m manu.study.reference --write` writes both; without `--write` it fails if one of them is out of date.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manu.core.errors import UserError
from manu.core.files import write_text
from manu.study.messages import bounds, resolved
from manu.study.model import StudyFile

SCHEMA = Path("config/study.schema.json")
README = Path("config/README.md")
_TABLE = re.compile(r"(<!-- keys: begin.*? -->\n).*?(<!-- keys: end -->)", re.DOTALL)
_KINDS = {"integer": "whole number", "number": "number", "boolean": "true or false", "object": "mapping"}


def schema_text() -> str:
    """The JSON schema of a study file, as editors read it."""
    schema = _without_noise(StudyFile.model_json_schema())
    schema["anyOf"] = [{"required": ["extends"]}, {"required": schema.pop("required")}]  # a base may have the others
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _without_noise(node: Any) -> Any:
    """A JSON schema without titles and without null as a default, which stands for an absent key."""
    if isinstance(node, list):
        return [_without_noise(item) for item in node]
    if not isinstance(node, dict):
        return node
    noise = [key for key in node if (key, node[key]) == ("default", None) or (key == "title" and node["type"])]
    return {key: _without_noise(value) for key, value in node.items() if key not in noise}


def table() -> str:
    """A Markdown table with every key of a study: meaning, values with their unit, and default."""
    schema = StudyFile.model_json_schema()
    rows = [
        f"| `{key}` | {meaning} | {values} | {default} |" for key, meaning, values, default in _rows(schema, schema)
    ]
    return "\n".join(["| key | meaning | values | default |", "| --- | --- | --- | --- |", *rows, ""])


def _rows(schema: dict[str, Any], node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    for key, stated in node["properties"].items():
        inner, name = resolved(schema, stated), f"{prefix}{key}"
        meaning = " ".join((stated.get("description") or inner["description"]).split())
        named = inner.get("additionalProperties")
        if isinstance(named, dict):  # a mapping whose keys are names
            name, inner = f"{name}.<{key.removesuffix('s')}>", resolved(schema, named)
        default = _shown(stated["default"]) if "default" in stated else ""  # a section has none: its keys do
        yield name, meaning, _values(schema, inner), "required" if key in node.get("required", ()) else default
        if not stated.get("$ref", "").endswith("/Source"):
            yield from _rows(schema, inner, f"{name}.") if "properties" in inner else ()


def _values(schema: dict[str, Any], node: dict[str, Any]) -> str:
    """What a key may hold: choices, or the type or unit with bounds."""
    item = resolved(schema, node["items"]) if node["type"] == "array" else node
    choices = ", ".join(f"`{choice}`" for choice in item.get("enum", ()))
    kind = choices or node.get("unit") or _KINDS.get(item["type"], "text")
    return ", ".join(filter(None, ["list" if node["type"] == "array" else "", kind, bounds(item)]))


def _shown(value: Any) -> str:
    """A default as a study would give it."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def readme_text() -> str:
    """config/README.md with the table between its markers replaced. Raises UserError without the markers."""
    text = README.read_text(encoding="utf-8")
    if not _TABLE.search(text):
        raise UserError(f"{README} lacks the markers of the table, <!-- keys: begin --> and <!-- keys: end -->")
    return _TABLE.sub(lambda markers: f"{markers[1]}{table()}{markers[2]}", text)


def main(arguments: list[str] | None = None) -> int:
    """Write the files that are out of date, or name them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m manu.study.reference", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the files in place of comparing them")
    given = parser.parse_args(arguments)
    texts = {SCHEMA: schema_text(), README: readme_text()}
    old = [path for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in old:
        if given.write:
            write_text(path, texts[path])
        else:
            sys.stderr.write(f"error: {path} is out of date; run: python -m manu.study.reference --write\n")
    return 0 if given.write or not old else 2


if __name__ == "__main__":
    sys.exit(main())
