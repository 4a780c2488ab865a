"""`only`: some cells of the smoke study, planned before anything is there and once the whole study is."""

import re

import pytest

from manu.provenance.record import read_record, record_path
from workflow_copy import Copy


def planned(copy: Copy, only: str) -> dict[str, int]:
    """The jobs that these cells would start, by rule."""
    jobs, _ = copy.planned("--config", f"study={copy.study}", f"only={only}")
    return jobs


CELLS = {  # only -> the jobs from an empty folder
    "model=llava method=manu,npo ratio=10": {
        "generate_benchmark": 1,
        "train": 2,
        "measure_statistics": 2,
        "tune": 1,
        "choose_settings": 1,
        "select_neurons": 1,
        "unlearn": 1,
        "evaluate": 3,  # and vanilla, which a choice of settings is compared with
        "part": 1,
    },
    "method=vanilla": {"generate_benchmark": 1, "train": 4, "evaluate": 2, "part": 1},
    "model=idefics2 method=retain_only seed=0": {
        "generate_benchmark": 1,
        "train": 2,
        "evaluate": 1,
        "part": 1,
    },
}


@pytest.mark.parametrize("only", CELLS)
def test_the_jobs_are_those_of_the_cells_and_of_what_they_need(only, tmp_path):
    assert planned(Copy(tmp_path), only) == CELLS[only]


@pytest.mark.parametrize(
    "only, told", [("metod=npo", "unknown key 'metod'"), ("ratio=20", "no ratio '20'; there is: 10")]
)
def test_what_there_is_not_stops_before_any_job(only, told, tmp_path):
    copy = Copy(tmp_path)
    before = copy.times()
    done = copy.snakemake(f"only={only}", "--cores", "1")
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Using ")]  # the profile
    assert done.returncode == 2 and len(lines) == 1 and told in lines[0]
    assert copy.times() == before


def test_after_the_whole_study_there_is_nothing_to_do(copy):
    before = copy.times()
    done = copy.snakemake("only=model=llava method=manu", "--cores", "1")
    assert done.returncode == 0
    assert "these cells of study 'smoke' are complete: nothing to do" in done.stdout
    assert re.search(r"^manu( +\d+\.\d){9}$", done.stdout, re.MULTILINE)  # its accuracies, and nobody else's
    assert not re.search(r"^npo ", done.stdout, re.MULTILINE)
    assert "answers  results/smoke/answers/llava/seed0/forget10/manu.parquet" in done.stdout.splitlines()
    assert copy.times() == before


def test_a_cell_alone_in_a_process_of_its_own_has_the_bytes_that_a_fork_in_the_whole_study_gave_it(copy):
    answers = copy.folder / "results/smoke/answers/llava/seed0/forget10/manu.parquet"
    whole, before = answers.read_bytes(), copy.times()
    drawing = "matplotlib"  # asking questions does not import it; what forks the jobs of a run does
    assert drawing in read_record(record_path(answers))["packages"]
    answers.unlink()
    done = copy.snakemake("only=model=llava method=manu ratio=10", "fork_server=0", "--cores", "1")
    assert done.returncode == 0 and "Traceback" not in done.stdout
    assert answers.read_bytes() == whole
    assert drawing not in read_record(record_path(answers))["packages"]
    after = copy.times()
    assert {name.rpartition("/")[2] for name in after if after[name] != before[name]} == {
        "manu.parquet",
        "manu.provenance.json",
    }
    assert copy.planned()[0] == {"write_report": 1}  # the cell is not run again; the page shows what its job cost
    copy.run()
