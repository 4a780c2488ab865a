"""The file by which tuned settings pass from the trials to the jobs that unlearn."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from manu.core.errors import UserError
from manu.core.files import write_text


def write_choice(path: Path, choice: Mapping[str, Any]) -> None:
    """Write a choice as JSON: `settings` (the tuned ones, name -> value), and the trial that it comes from."""
    write_text(path, json.dumps(choice, indent=1) + "\n")


def read_choice(path: Path) -> dict[str, Any]:
    """What `write_choice` wrote. Raises UserError on a missing or broken file."""
    try:
        choice = json.loads(path.read_text(encoding="utf-8"))
        return {**choice, "settings": dict(choice["settings"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: holds no choice of settings ({error}); the rule choose_settings writes it") from error


def chosen_settings(path: Path | None) -> dict[str, Any]:
    """The tuned settings in the file of a choice; no settings without a file. Raises UserError."""
    return {} if path is None else read_choice(path)["settings"]


def with_choices(methods: Mapping[str, Mapping], paths: Iterable[Path], model: str) -> dict[str, dict]:
    """Settings by method, with the tuned ones of a model among the choices at `paths`. Raises UserError."""
    chosen = {choice["method"]: choice["settings"] for choice in map(read_choice, paths) if choice["model"] == model}
    return {name: {**settings, **chosen.get(name, {})} for name, settings in methods.items()}
