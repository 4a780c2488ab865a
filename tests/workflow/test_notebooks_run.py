"""The notebooks, every cell of each, on the smoke study."""

import json
import os
import subprocess
import sys

import pytest

import notebook_runner
from notebook_runner import NOTEBOOKS, code_cells

BOOKS = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_notebook_runs_on_the_smoke_study_and_leaves_it_alone(book, copy):
    before = copy.times()
    place = {"MANU_STUDY": copy.study, "PYTHONPATH": str(copy.folder / "src")}
    done = subprocess.run(
        [sys.executable, notebook_runner.__file__, str(book)],
        cwd=copy.folder,
        env=os.environ | place,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    assert len(shown) == len(code_cells(book)) and any(shown)
    assert ("picture of " in " ".join(shown)) == (book.stem != "follow_one_number")
    assert copy.times() == before
