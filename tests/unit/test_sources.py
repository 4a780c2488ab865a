"""The files that a stage runs: imports followed without running anything."""

import os
from pathlib import Path

import pytest

from manu.provenance.sources import PACKAGE, source_files
from manu.unlearning import registry

FILES = {
    "__init__.py": "",
    "errors.py": "",
    "steps/__init__.py": "",
    "steps/unlearn.py": (
        "import os\nimport torch\nfrom pack.unlearning.registry import create\nfrom pack import errors\n"
    ),
    "steps/draw.py": "import pack.figures.style as style\n",
    "unlearning/__init__.py": "",
    "unlearning/registry.py": "def create(name):\n    from importlib import import_module\n    from . import base\n"
    "    return import_module(f'pack.unlearning.{name}')\n",
    "unlearning/base.py": "from ..neurons.masks import Mask\n",
    "unlearning/npo.py": "from .base import Method\nfrom ..losses import cross_entropy\n",
    "unlearning/ga.py": "",
    "neurons/__init__.py": "from .sites import Site\n",
    "neurons/sites.py": "",
    "neurons/masks.py": "from pack.steps import unlearn\n",  # a circle ends
    "losses.py": "",
    "figures/style.py": "",  # a folder without __init__
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package; the working folder is the one above `src`."""
    for name, text in FILES.items():
        path = tmp_path / "src" / "pack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "src" / "pack"


def names(paths: list[str]) -> set[str]:
    assert paths == sorted(paths)
    return {path.removeprefix("src/pack/") for path in paths}


COMMON = {
    "__init__.py",
    "errors.py",
    "steps/__init__.py",
    "steps/unlearn.py",
    "unlearning/__init__.py",
    "unlearning/registry.py",
    "unlearning/base.py",
    "neurons/__init__.py",
    "neurons/sites.py",
    "neurons/masks.py",
}


def test_imports_are_followed_also_inside_functions_but_not_by_name(package):
    assert names(source_files("unlearn", package=package)) == COMMON


def test_an_extra_file_brings_what_it_imports_and_no_other_method(package):
    extra = package / "unlearning" / "npo.py"
    assert names(source_files("unlearn", extra, package=package)) == COMMON | {"unlearning/npo.py", "losses.py"}


def test_a_module_of_a_folder_without_init(package):
    expected = {"__init__.py", "steps/__init__.py", "steps/draw.py", "figures/style.py"}
    assert names(source_files("draw", package=package)) == expected


def test_an_edit_is_seen(package):
    source_files("draw", package=package)
    (package / "figures" / "style.py").write_text("import pack.errors\n")
    os.utime(package / "figures" / "style.py", (5, 5))
    assert "errors.py" in names(source_files("draw", package=package))


def test_a_stage_that_does_not_exist(package):
    with pytest.raises(FileNotFoundError):
        source_files("none", package=package)


STAGES = sorted(path.stem for path in (PACKAGE / "steps").glob("*.py") if "__main__" in path.read_text())


@pytest.mark.parametrize("stage", STAGES)
def test_a_real_stage_has_no_methods_adapters_or_figures_of_its_own(stage):
    """They come in by name, so that editing one reruns its own jobs only; nor does a stage read the study."""
    found = {str(Path(path).resolve().relative_to(PACKAGE)) for path in source_files(stage)}
    named = {
        f"{folder}/{name}.py"
        for folder, names in (
            ("unlearning", ("ga", "npo", "kl", "manu", "prompting")),
            ("models", ("llava", "idefics2")),
            ("analysis/figures", ("tradeoff", "modality_balance", "pruned_per_layer")),
        )
        for name in names
    }
    assert f"steps/{stage}.py" in found
    assert not found & (named | {"config.py", "resolved.py", "cli.py"})


def test_real_jobs_differ_in_their_own_file():
    npo, ga = (set(source_files("unlearn", *registry.source_files(method))) for method in ("npo", "ga"))
    assert {Path(path).name for path in npo - ga} == {"npo.py"}
