"""The record of a job, `<job>.provenance.json` beside its outputs: what it ran, read and wrote, and its cost.

workflow/schemas/provenance.schema.yaml says what each entry means. `seal` is the checksum of everything else
in the record. Paths are relative to the working folder, so that a repository can be moved.
"""

import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from manu.core import extensions
from manu.core.errors import UserError
from manu.core.files import write_text
from manu.provenance import machine
from manu.provenance.hashes import RECORD_SUFFIX, hashes_of, sha256_of_file, sha256_of_json

VERSION = 1
SCHEMA = machine.PACKAGE.parents[1] / "workflow" / "schemas" / "provenance.schema.yaml"


def record_path(config: str | os.PathLike) -> Path:
    """The record of the job whose resolved configuration is `config`: the same name, another ending."""
    return Path(config).with_suffix(RECORD_SUFFIX)


class Recording:
    """Watches one job: created before its work, `write` after it.

    What it reads is hashed before the work begins. options: the stage's options by name, paths included;
    reads, writes: the names of those that are paths of inputs and of outputs.
    """

    def __init__(
        self, rule: str | None, config_path: Path, config: Any, options: Mapping[str, Any], reads: list, writes: list
    ) -> None:
        self._start = time.perf_counter()
        self._config_path = config_path
        self._outputs = {name: _paths(options[name]) for name in writes}
        self._sources = source_hashes()
        self._record = {
            "version": VERSION,
            "rule": rule,
            "stage": _main_module(),
            "seed": config.get("seed"),
            "configuration": {
                "path": _relative(config_path),
                "sha256": sha256_of_file(config_path),
                "content": config,
            },
            "options": {name: _plain(value) for name, value in options.items()},
            "inputs": {name: hashes_of(_paths(options[name])) for name in reads if _paths(options[name])},
        }

    def write(self) -> Path:
        """Write the record beside the resolved configuration and return its path."""
        outputs = {name: hashes_of(paths) for name, paths in self._outputs.items() if paths}
        record = self._record | {
            "outputs": outputs,
            "sources": dict(sorted((source_hashes() | self._sources).items())),  # as they were when it began
            "packages": machine.package_versions(),
            "repository": machine.repository(),
            "device": machine.device(),
            "cost": {"wall_seconds": round(time.perf_counter() - self._start, 3), **machine.peak_memory()},
        }
        path = record_path(self._config_path)
        write_text(path, record_text(record))
        return path


def _main_module() -> str:
    """The dotted name of the module that this process runs (`python -m`)."""
    spec = sys.modules["__main__"].__spec__
    if spec is None:
        raise RuntimeError("a job runs as a module: python -m manu.steps.<step>")
    return spec.name


def record_text(record: dict) -> str:
    """The text of a record's file, with its seal."""
    content = {key: value for key, value in record.items() if key != "seal"}
    return json.dumps(content | {"seal": sha256_of_json(content)}, indent=1, ensure_ascii=False) + "\n"


def read_record(path: str | os.PathLike) -> dict:
    """A record, checked against the schema and its own seal. Raises UserError that says what is wrong with it."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"{path}: is not JSON text ({error})") from error
    mistake = next(_validator().iter_errors(record), None)
    if mistake:
        where = ".".join(map(str, mistake.absolute_path)) or "the record"
        raise UserError(f"{path}: {where}: {mistake.message}")
    content = {key: value for key, value in record.items() if key != "seal"}
    if sha256_of_json(content) != record["seal"]:
        raise UserError(f"{path}: was edited after it was written (its seal does not fit its content)")
    return record


def read_records(paths: Iterable[str | os.PathLike]) -> dict[str, dict]:
    """Records by their paths relative to the working folder, as records name files. Raises as `read_record`."""
    return {_relative(Path(path)): read_record(path) for path in paths}


def source_hashes() -> dict[str, str]:
    """sha256 of every file of the package that this process has imported, as src/manu/..., and of its extensions."""
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    inside = sorted(Path(file) for file in files if file.startswith(f"{machine.PACKAGE}{os.sep}"))
    hashes = {f"src/{file.relative_to(machine.PACKAGE.parent).as_posix()}": sha256_of_file(file) for file in inside}
    return hashes | {_relative(file): sha256_of_file(file) for file in extensions.named()}


@cache
def _validator():
    import yaml
    from jsonschema import Draft202012Validator

    return Draft202012Validator(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))


def _paths(value: Any) -> list[Path]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]


def _relative(path: Path) -> str:
    return Path(os.path.relpath(path)).as_posix()


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _relative(value) if isinstance(value, Path) else value
