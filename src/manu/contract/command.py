"""`manu check method` and `manu check model`: a file against its contract, on small models built in memory."""

import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import yaml

from manu.contract import method, model
from manu.contract.material import Material
from manu.contract.points import Point, judged
from manu.core import extensions
from manu.core.errors import UserError
from manu.unlearning.registry import method_class


def check(kind: str, file: str, settings_text: str, say: Callable[[str], object]) -> int:
    """Say a line for each contract point, as soon as it is known; returns 1 if one does not hold, else 0.

    kind: "method" or "model"; file: a Python file, or a known name; settings_text: of a method, as YAML. Raises
    UserError on any other file.
    """
    name = _name(kind, file)
    settings = _settings(settings_text)
    count = broken = 0
    with tempfile.TemporaryDirectory() as folder:
        points = _points(kind, name, settings, Material(Path(folder)))
        say(f"{kind} {name}")
        for point in points:
            say(str(point))
            count, broken = count + 1, broken + (point.problem is not None)
    if kind == "model" and count == 1:
        say(f"the other {len(model.CHECKS) - 1} contract points need a model that can be built")
    else:
        say(f"{count - broken} of {count} contract points hold")
    return int(bool(broken))


def _points(kind: str, name: str, settings: dict, material: Material) -> Iterator[Point]:
    if kind == "model":
        model_subject = model.Subject(name, material)
        (built,) = judged(model.CHECKS[:1], model_subject)
        return iter([built]) if built.problem else chain([built], judged(model.CHECKS[1:], model_subject))
    subject = method.Subject(name, material, settings)
    method.settings(subject)  # missing or wrong settings are an error of the command, not a contract point
    return judged(method.CHECKS[method_class(name).kind], subject)


def _name(kind: str, file: str) -> str:
    """The name of what is checked: of a file, which is then known, or of one that is known. Raises UserError."""
    from manu.models.registry import vlm_class

    name = file
    if file.endswith(".py"):
        if (found := extensions.kind_of(Path(file))) != kind:
            raise UserError(f"{file} defines a {found}; needed: a {kind}")
        extensions.add([file])
        name = Path(file).stem
    {"method": method_class, "model": vlm_class}[kind](name)
    return name


def _settings(text: str) -> dict:
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError:
        settings = None
    if not isinstance(settings, dict):
        raise UserError(f"--settings: {text!r} is no mapping; needed: such as '{{beta: 0.4}}'")
    return settings
