"""The record of a job, written by a real stage in a process of its own."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from made_rows import scored

from manu.core.errors import UserError
from manu.provenance.hashes import files_of, hashes_of, sha256_of_json
from manu.provenance.record import read_record, record_path, record_text

ANSWERS = scored(
    {"split": "forget", "modality": "text", "task": "cloze", "profile_id": f"p{i // 2}"}
    | {"question_id": f"q{i}", "correct": float(i % 2)}
    for i in range(6)
)


def make_scores(folder: Path, answers: str = "results/tiny/a.parquet") -> subprocess.CompletedProcess:
    options = (
        "--config results/tiny/scores.yaml --rule make_scores --table scores --csv results/tiny/scores.csv --source"
    )
    command = [sys.executable, "-m", "manu.steps.make_table", *options.split(), "answers", answers]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    (folder / "results/tiny").mkdir(parents=True)
    ANSWERS.to_parquet(folder / "results/tiny/a.parquet")
    (folder / "results/tiny/scores.yaml").write_text(yaml.safe_dump({"intervals": {"resamples": 50, "level": 0.9}}))
    done = make_scores(folder)
    assert done.returncode == 0, done.stderr
    return folder


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_record_says_what_ran_and_what_was_read_and_written(job):
    results = job / "results/tiny"
    record = read_record(results / "scores.provenance.json")
    assert (record["rule"], record["stage"], record["seed"]) == ("make_scores", "manu.steps.make_table", None)
    assert record["inputs"] == {"answers": {"results/tiny/a.parquet": checksum(results / "a.parquet")}}
    options = {"table": "scores", "model": "", "sources": ["answers"], "markdown": None}
    csv = "results/tiny/scores.csv"
    assert record["options"] == {**options, "answers": ["results/tiny/a.parquet"], "csv": csv}
    assert record["outputs"] == {"csv": {csv: checksum(job / csv)}}
    assert record["configuration"] == {
        "path": "results/tiny/scores.yaml",
        "sha256": checksum(results / "scores.yaml"),
        "content": {"intervals": {"resamples": 50, "level": 0.9}},
    }
    root = Path(__file__).parents[2]
    assert {"src/manu/steps/make_table.py", "src/manu/analysis/intervals.py", "src/manu/core/files.py"} <= set(
        record["sources"]
    )
    assert all(value == checksum(root / file) for file, value in record["sources"].items())
    assert not {"src/manu/steps/train.py", "src/manu/cli.py"} & set(record["sources"])
    assert record["packages"]["pandas"] == pd.__version__ and "torch" not in record["packages"]
    assert record["device"]["threads"] is None and record["cost"]["peak_gpu_memory_bytes"] is None
    assert 2**24 < record["cost"]["peak_memory_bytes"] < 2**34
    assert str(job) not in (results / "scores.provenance.json").read_text()


def test_a_failed_job_leaves_no_record_and_says_why(job):
    before = (job / "results/tiny/scores.provenance.json").read_bytes()
    done = make_scores(job, "results/tiny/none.parquet")
    assert done.returncode == 2
    assert re.fullmatch(r"error: results/tiny/none.parquet: cannot be read \(No such file.*\n", done.stderr)
    assert (job / "results/tiny/scores.provenance.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["cost"].update(wall_seconds=9.0), "was edited after it was written"),
        (lambda r: r.update(seed=1), "was edited after it was written"),
        (lambda r: r.pop("cost"), "the record: 'cost' is a required property"),
        (lambda r: r["outputs"]["csv"].update({"a": "xyz"}), "outputs.csv.a: 'xyz' does not match"),
        (lambda r: r.update(version=2), "version: 1 was expected"),
        (lambda r: r.update(extra=1), "Additional properties are not allowed"),
    ],
)
def test_an_edited_record_is_refused(change, said, job, tmp_path):
    record = json.loads((job / "results/tiny/scores.provenance.json").read_text())
    change(record)
    path = tmp_path / "x.provenance.json"
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=re.escape(said)):
        read_record(path)


def test_layout_does_not_matter_to_the_seal(job, tmp_path):
    record = read_record(job / "results/tiny/scores.provenance.json")
    path = tmp_path / "x.provenance.json"
    path.write_text(json.dumps(dict(reversed(record.items()))))
    assert read_record(path) == record
    path.write_text(record_text({key: value for key, value in record.items() if key != "seal"}))
    assert read_record(path) == record


def test_a_folder_stands_for_its_files(tmp_path, monkeypatch):
    for name in ("a/b.txt", "c.parquet", "job.yaml", "job.provenance.json", ".hidden", ".tmp/x"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    assert files_of("in") == [Path("in/a/b.txt"), Path("in/c.parquet")]
    assert hashes_of(["in", "in/c.parquet"]) == {
        f"in/{name}": hashlib.sha256(name.encode()).hexdigest() for name in ("a/b.txt", "c.parquet")
    }
    with pytest.raises(UserError, match="none: cannot be read"):
        hashes_of(["none"])


def test_known_values():
    assert sha256_of_json({"b": 1, "a": [True, None]}) == hashlib.sha256(b'{"a":[true,null],"b":1}').hexdigest()
    assert record_path("x/y.z.yaml") == Path("x/y.z.provenance.json")
    assert os.sep not in record_path("train.yaml").name
