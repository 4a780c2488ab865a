"""docs/extend.md: every file on the page, as it stands there, through the real workflow; the package stays as it is."""

import pytest

from extend_page import files_on_the_page
from manu.audit.chain import Chain, job_problems
from manu.provenance.record import read_record
from workflow_copy import ROOT, Copy

ONLY = "only=method=simnpo"
UNLEARN = "results/tiny/vipllava/seed0/forget10/simnpo/unlearn.provenance.json"
TRAIN = "results/tiny/vipllava/seed0/base/train.provenance.json"


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The page's files in a copy of the repository, and the method run on the model."""
    copy = Copy(tmp_path_factory.mktemp("extend"), "mine/tiny.yaml")
    for name, text in files_on_the_page().items():
        (copy.folder / name).parent.mkdir(exist_ok=True)
        (copy.folder / name).write_text(text)
    done = copy.snakemake(ONLY, "--cores", "2")
    assert done.returncode == 0, done.stdout
    return copy


@pytest.fixture
def edited(mine):
    """The method's file, changed for one test."""
    path = mine.folder / "mine/simnpo.py"
    text = path.read_text()
    path.write_text(text.replace("gamma: float = 0.0", "gamma: float = 0.5"))
    yield path
    path.write_text(text)


def test_a_method_and_a_model_from_outside_run_and_nothing_inside_changed(mine):
    assert (mine.folder / "results/tiny/answers/vipllava/seed0/forget10/simnpo.parquet").is_file()
    for path in ROOT.joinpath("src").rglob("*.py"):
        assert (mine.folder / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    assert sorted(path.name for path in (mine.folder / "mine").iterdir()) == sorted(
        name.removeprefix("mine/") for name in files_on_the_page() if name.startswith("mine/")
    )  # no compiled files either


def test_records_name_the_extensions_that_a_job_ran(mine):
    def outside(record: str) -> set[str]:
        found = read_record(mine.folder / record)
        assert found["configuration"]["content"]["extensions"] == sorted(
            file for file in found["sources"] if file.startswith("mine/")
        )
        return set(found["configuration"]["content"]["extensions"])

    assert outside(UNLEARN) == {"mine/simnpo.py", "mine/vipllava.py"}
    assert outside(TRAIN) == {"mine/vipllava.py"}


def test_an_edit_runs_the_jobs_of_that_file_again_and_no_others(mine, edited):
    jobs, methods = mine.planned("--config", f"study={mine.study}", ONLY)
    assert jobs == {"unlearn": 1, "evaluate": 1, "part": 1} and methods == {"simnpo"}


def test_a_table_from_outside_is_made_with_the_study(mine):
    jobs, _ = mine.planned("--config", f"study={mine.study}")
    assert jobs["make_people_known"] == 1 and jobs["make_scores"] == 1


def test_the_audit_finds_what_was_changed_afterwards(mine, edited, monkeypatch):
    chain = Chain("tiny", mine.folder)
    assert ("was changed since the job", "mine/simnpo.py") in list(job_problems(chain, UNLEARN))
    assert "mine/simnpo.py" not in {where for _, where in job_problems(chain, TRAIN)}
