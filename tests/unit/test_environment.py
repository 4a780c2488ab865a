"""pyproject.toml, requirements.lock and environment.yml say the same, and what the code imports."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from manu.core.cache import ensure_cache

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]


def normal(name: str) -> str:
    """A package's name as the packaging standards compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines: list[str]) -> dict[str, str]:
    """Package and version of lines that must all read `name==version`."""
    matches = [re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    return {normal(match[1]): match[2] for match in matches}


DIRECT = pins(PROJECT["dependencies"])
TESTING = pins(PROJECT["optional-dependencies"]["test"])


def test_the_lock_pins_each_package_once_and_names_no_place():
    assert len(pins(LINES)) == len(LINES)
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_direct_dependencies_have_the_versions_of_the_lock():
    lock = pins(LINES)
    assert {name: lock.get(name) for name in DIRECT | TESTING} == DIRECT | TESTING


@pytest.mark.parametrize("extra", ["slurm", "mmmu", "notebooks"])
def test_the_extras_are_pinned_and_no_part_of_the_lock(extra):
    assert not pins(PROJECT["optional-dependencies"][extra]).keys() & pins(LINES).keys()


def test_the_study_small_says_how_to_install_what_it_needs():
    from manu.models.language import INSTALL

    named = INSTALL.removeprefix("pip install --no-deps ").split()
    assert pins(PROJECT["optional-dependencies"]["small"]) == pins(named)


def test_caches_lie_in_the_folder_where_the_home_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLCONFIGDIR", "before")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ensure_cache()
    assert (os.environ["XDG_CACHE_HOME"], os.environ["MPLCONFIGDIR"]) == (str(tmp_path / "cache"), "before")
    (tmp_path / "file").touch()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    ensure_cache()
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / ".cache")
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path / ".cache/matplotlib")


def test_make_says_what_a_python_that_cannot_be_used_said(tmp_path):
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    command = ["make", ".venv/.installed", f"PYTHON={shim}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and not (tmp_path / ".venv").exists()
    assert f"{shim} said: pyenv: python3.12: command not found" in done.stderr.splitlines()[0]


def test_what_builds_the_package_is_locked():
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    name, least = re.fullmatch(r"([a-z]+)>=(\d+)", *needed).groups()
    assert int(pins(LINES)[name].split(".")[0]) >= int(least)


def test_conda_users_get_the_lock_and_a_python_that_will_do():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, packages = environment["dependencies"]
    assert pip == "pip" and packages == {"pip": ["-r requirements.lock", "-e ."]}
    least = PROJECT["requires-python"].removeprefix(">=")
    assert tuple(map(int, python.removeprefix("python=").split("."))) >= tuple(map(int, least.split(".")))


def imported(*folders: str) -> set[str]:
    """Distributions that the Python files and Snakefiles in these folders import, by any statement."""
    modules = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.split(".")[0])
    for line in (ROOT / "workflow" / "Snakefile").read_text().splitlines():
        if match := re.match(r"(?:from|import) (\w+)", line):
            modules.add(match[1])
    known = packages_distributions()
    outside = modules - set(sys.stdlib_module_names) - {"manu"}
    return {normal(name) for module in outside for name in known.get(module, [module])[:1]}


def test_direct_dependencies_are_what_the_package_imports():
    # Snakemake's names for its log events, pydantic's for its errors
    transitive = {"snakemake-interface-logger-plugins", "pydantic-core"}
    optional = {"lm-eval"}  # of the extra `mmmu`; imported where it is used
    assert imported("src/manu") - transitive - optional == set(DIRECT)


def test_every_direct_dependency_has_its_reason():
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    direct, _, rest = text.partition("Extras,")
    listed = re.findall(r"^\| `([^`]+)` \| (\w.+) \|$", direct, re.MULTILINE)
    assert {normal(name) for name, _ in listed} == DIRECT.keys() and len(listed) == len(DIRECT)
    extras = {normal(name) for name in re.findall(r"`([\w-]+)`", rest)}
    optional = PROJECT["optional-dependencies"]
    assert optional.keys() <= extras and TESTING.keys() <= extras
