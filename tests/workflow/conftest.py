"""The smoke study, run once for all tests of the workflow, in a copy of the repository."""

import pytest

from workflow_copy import Copy


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """The finished smoke study and what its first run said."""
    copy = Copy(tmp_path_factory.mktemp("study"))
    return copy, copy.run().stdout


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
