"""The results of a name belong to one study file."""

import shutil
from pathlib import Path

import pytest

from manu.core.errors import UserError
from manu.jobs.owner import check_owner, own
from manu.study.loading import study_files, study_path


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two study files of one name, and results of the first."""
    monkeypatch.chdir(tmp_path)
    files = [Path("config/tiny.yaml"), Path("mine/tiny.yaml")]
    for file in files:
        file.parent.mkdir()
        file.write_text("seeds: [0]\n")
    Path("results/tiny").mkdir(parents=True)
    own("tiny", files[0])
    return files


def test_another_file_of_the_same_name_is_refused(two):
    check_owner("tiny", two[0])
    check_owner("tiny", two[0].resolve())
    with pytest.raises(UserError, match="mine/tiny.yaml: results/tiny belongs to the study config/tiny.yaml; give one"):
        check_owner("tiny", two[1])


def test_a_file_that_was_moved_keeps_its_results(two):
    two[0].rename("moved.yaml")
    check_owner("tiny", Path("moved.yaml"))


def test_without_results_any_file_may_have_the_name(two):
    shutil.rmtree("results/tiny")
    check_owner("tiny", two[1])
    own("tiny", two[1])
    Path("results/tiny").mkdir()
    with pytest.raises(UserError, match="belongs to the study mine/tiny.yaml"):
        check_owner("tiny", two[0])


def test_a_study_from_elsewhere_is_known_by_the_name_of_its_results(two, tmp_path):
    own("tiny", two[1])
    assert study_path("tiny") == two[1]
    two[1].write_text("extends: config/tiny.yaml\n")
    assert study_files("tiny") == [two[1], two[0]]
    two[1].unlink()
    with pytest.raises(UserError, match="unknown study 'tiny': no file config/studies/tiny.yaml"):
        study_path("tiny")
    Path("bundle.json").write_text('{"study": "tiny", "file": "config/tiny.yaml", "left_out": {}}')
    assert study_path("tiny") == two[0]
    with pytest.raises(UserError, match="unknown study '../tiny'"):
        study_path("../tiny")
