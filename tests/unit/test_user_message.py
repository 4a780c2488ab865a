"""Errors of memory and disk are told in one line, and what was there before stays."""

import errno
import resource
import subprocess
import sys

import pytest
import torch
import yaml
from safetensors import SafetensorError

from manu.core.errors import UserError, user_message

KEPT = "correct that and run again: finished files are kept"
SIZES = {
    "people": 20,
    "public_figures": 4,
    "strangers": 8,
    "portraits": 1,
    "image_size": 32,
    "seed": 0,
    "unseen_people": 4,
    "anchor_people": 4,
    "stranger_portraits": 1,
}


@pytest.mark.parametrize(
    "error, line",
    [
        (UserError("what, where"), "what, where"),
        (OSError(errno.ENOSPC, "No space left on device", "results/a"), f"results/a: No space left on device; {KEPT}"),
        (OSError(errno.EROFS, "Read-only file system"), f"Read-only file system; {KEPT}"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), f"No space left on device; {KEPT}"),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore"),
            "out of memory: CUDA out of memory. Tried to allocate 2 GiB.; a smaller batch_size, a smaller model "
            "or a larger device is needed",
        ),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), None),
        (ValueError("a mistake in the code"), None),
    ],
)
def test_the_line_that_the_user_is_told(error, line):
    assert user_message(error) == line


def test_a_stage_that_cannot_write_says_so_and_leaves_the_old_output(tmp_path):
    config, out = tmp_path / "generate_benchmark.yaml", tmp_path / "data"
    config.write_text(yaml.safe_dump({"benchmark": SIZES, "forget_ratios": [10]}))
    (out / "Full_Set").mkdir(parents=True)
    (out / "Full_Set/old").write_text("finished before")
    done = subprocess.run(
        [sys.executable, "-m", "manu.steps.generate_benchmark", "--config", config, "--out", out],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        capture_output=True,
        text=True,
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == 1
    assert lines[0].startswith("error: ") and lines[0].endswith(f"File too large; {KEPT}")
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["old"]


def test_a_mistake_in_the_code_is_one_line_and_its_traceback_stands_in_the_log(tmp_path):
    config, log = tmp_path / "generate_benchmark.yaml", tmp_path / "job.log"
    config.write_text(yaml.safe_dump({"forget_ratios": [10]}))
    stage = [sys.executable, "-m", "manu.steps.generate_benchmark", "--config", config, "--out", tmp_path / "data"]
    with_log, without = (
        subprocess.run([*stage, *more], capture_output=True, text=True) for more in (["--log", log], [])
    )
    assert with_log.returncode == without.returncode == 1
    assert with_log.stderr == f"error: KeyError: 'benchmark'; where it came from: {log}\n"
    assert log.read_text().count("Traceback") == 1 and "KeyError: 'benchmark'" in log.read_text()
    assert without.stderr.count("Traceback") == 1
