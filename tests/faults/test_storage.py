"""A full or read-only disk, files that vanish or break, a clock that jumps, two runs at once.

The user sees one line, finished work stays, and the next run ends like an undisturbed one.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import TinyStudy
from manu.provenance.hashes import sha256_of_file

NPO = Path("results/tiny/llava/seed0/forget10/npo")
ANSWERS = Path("results/tiny/answers/llava/seed0/forget10/npo.parquet")
SCORES = Path("results/tiny/scores.csv")


@pytest.fixture
def finished(undisturbed, tmp_path):
    """The finished study in a folder of its own."""
    shutil.copytree(undisturbed[0].folder, tmp_path / "study", symlinks=True)
    study = object.__new__(TinyStudy)
    study.folder, study.study = tmp_path / "study", "tiny"
    return study


def failed(study: TinyStudy, *said: str) -> None:
    """Run the study, which must end with these words and without a traceback."""
    done = study.snakemake("--cores", "2")
    assert done.returncode != 0
    for words in said:
        assert words in done.stdout, done.stdout
    assert "Traceback" not in done.stdout, done.stdout


def mount(folder: Path, *options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounts a small disk: needs root on Linux")
def test_a_full_disk_and_a_read_only_one(undisturbed, tmp_path):
    (tmp_path / "study").mkdir()
    study = TinyStudy(tmp_path / "study")
    results = study.folder / "results"
    results.mkdir()
    mount(results, "size=6M")
    try:
        failed(study, "No space left on device; correct that and run again: finished files are kept")
        base = results / "tiny/llava/seed0/base/checkpoint/model.safetensors"
        made = base.stat().st_mtime_ns, sha256_of_file(base)
        mount(results, "remount", "ro")
        failed(study, "Read-only file system")
        mount(results, "remount", "rw", "size=500M")
        study.run()
        assert study.produced() == undisturbed[0].produced()
        assert (base.stat().st_mtime_ns, sha256_of_file(base)) == made
    finally:
        subprocess.run(["umount", results], check=True)


def test_what_vanished_is_made_again(finished, undisturbed):
    (finished.folder / "results/tiny/llava/seed0/vanilla/checkpoint/model.safetensors").unlink()
    shutil.rmtree(finished.folder / NPO)
    (finished.folder / ANSWERS).unlink()
    kept = finished.times()["results/tiny/llava/seed0/base/checkpoint/model.safetensors"]
    finished.run()
    assert finished.produced() == undisturbed[0].produced()
    assert finished.times()["results/tiny/llava/seed0/base/checkpoint/model.safetensors"] == kept


@pytest.mark.parametrize(
    ("file", "readers"),  # what is missing, so that the file is read again
    [
        (ANSWERS, [SCORES, "results/tiny/report/explore.html"]),
        (NPO / "checkpoint/model.safetensors", [ANSWERS]),
        (Path("results/tiny/outcomes.csv"), ["results/tiny/tables/seeds.csv"]),
    ],
    ids=str,
)
def test_a_half_written_file_is_named(file, readers, finished, undisturbed):
    whole = (finished.folder / file).read_bytes()
    (finished.folder / file).write_bytes(whole[: len(whole) // 2])
    for each in readers:
        (finished.folder / each).unlink()
    done = finished.snakemake("--cores", "2")
    audit = subprocess.run(
        [sys.executable, "-m", "manu.cli", "audit", "--all", "--study", "tiny"],
        cwd=finished.folder,
        env=os.environ | {"PYTHONPATH": str(finished.folder / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = done.stdout + audit.stdout
    assert done.returncode or audit.returncode, said
    assert str(file) in said and "Traceback" not in said, said
    (finished.folder / file).unlink()
    finished.run()
    assert finished.produced() == undisturbed[0].produced()


def test_a_clock_that_jumps_reruns_nothing(finished, undisturbed):
    rng, now = random.Random(0), time.time()
    for top in ("data", "results", "figures", "src", "config"):
        for path in sorted((finished.folder / top).rglob("*")):
            moment = now + rng.uniform(-10, 10) * 365 * 86400
            os.utime(path, (moment, moment), follow_symlinks=False)
    assert finished.planned()[0] == {}
    (finished.folder / SCORES).unlink()
    jobs, _ = finished.planned()
    assert jobs["make_scores"] == 1 and not {"train", "unlearn", "evaluate"} & set(jobs)
    finished.run()  # with inputs that are dated after all that is made of them
    assert finished.produced() == undisturbed[0].produced()


def test_a_second_run_at_once_is_told_and_the_first_goes_on(finished, undisturbed):
    shutil.rmtree(finished.folder / NPO)
    (finished.folder / ANSWERS).unlink()
    first = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--config", "study=tiny"],
        cwd=finished.folder,
        env=os.environ | {"PYTHONPATH": str(finished.folder / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    lock = finished.folder / ".snakemake/tiny.lock"
    while lock.read_text() != str(first.pid):
        assert first.poll() is None
        time.sleep(0.1)
    failed(
        finished, f"study 'tiny' is being run in this folder already, by process {first.pid}; wait for it, or stop it"
    )
    assert first.wait() == 0
    assert finished.produced() == undisturbed[0].produced()
