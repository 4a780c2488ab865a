"""The smoke study, run once for all tests of the workflow, in a copy of the repository."""

import os
import shutil

import pytest
from filelock import FileLock

from workflow_copy import Copy


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """The finished smoke study and what its first run said.

    Workers that test side by side run it once; each has it in its own folder.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        copy = Copy(tmp_path_factory.mktemp("study"))
        return copy, copy.run().stdout
    shared = tmp_path_factory.getbasetemp().parent / "study"
    said = shared.with_suffix(".txt")
    with FileLock(shared.with_suffix(".lock")):
        if not said.exists():
            shutil.rmtree(shared, ignore_errors=True)  # of a worker whose run failed
            shared.mkdir()
            said.write_text(Copy(shared).run().stdout, encoding="utf-8")
        mine = tmp_path_factory.mktemp("study")
        shutil.copytree(shared, mine, symlinks=True, dirs_exist_ok=True)
    return Copy.made(mine), said.read_text(encoding="utf-8")


@pytest.fixture
def copy(study):
    """The finished study; a test leaves it finished."""
    return study[0]


@pytest.fixture
def edited(copy):
    """Edit files of the copy for one test."""
    originals = {}

    def edit(name: str, old: str, new: str) -> None:
        path = copy.folder / name
        text = path.read_text()
        assert old in text
        originals.setdefault(path, text)
        path.write_text(text.replace(old, new, 1) if old else text + new)

    yield edit
    for path, text in originals.items():
        path.write_text(text)
