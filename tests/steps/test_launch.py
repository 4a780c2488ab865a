"""One training by several processes: the shares of a batch, real launched processes on the CPU, and their devices."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from manu.core.errors import UserError
from manu.data.reading import read_names, read_training_data
from manu.jobs import device
from manu.jobs.device import lease, lease_several
from manu.provenance.record import read_record
from manu.steps import launch, train
from manu.training.dataset import TrainingSet
from manu.training.losses import answer_cross_entropy
from manu.training.sharing import share
from tiny_sizes import SIZES

SOURCE = Path(launch.__file__).parents[2]


def rows(*answers: int) -> dict[str, torch.Tensor]:
    """A batch whose samples have so many answer tokens."""
    labels = torch.full((len(answers), 1 + max(answers)), -100)
    for row, tokens in enumerate(answers):
        labels[row, 1 : 1 + tokens] = 5
    return {"input_ids": torch.arange(len(answers))[:, None].expand_as(labels), "labels": labels}


@pytest.mark.parametrize(
    "answers, count, expected",  # of each process: its samples, and its part of the answer tokens
    [
        ((3, 1, 2, 2), 2, [([0, 1], 4 / 8), ([2, 3], 4 / 8)]),
        ((1, 1, 4), 2, [([0], 1 / 6), ([1, 2], 5 / 6)]),
        ((1, 2, 3, 4, 5), 1, [([0, 1, 2, 3, 4], 1)]),
        ((3,), 2, [([0], 0), ([0], 1)]),  # nothing is left for one: it takes a sample that counts nothing
    ],
)
def test_every_sample_counts_once_by_its_answer_tokens(answers, count, expected):
    shares = [share(rows(*answers), index, count) for index in range(count)]
    assert [(batch["input_ids"][:, 0].tolist(), weight) for batch, weight in shares] == expected


def gradient(model, *parts) -> torch.Tensor:
    """Of the weighted sum of the cross-entropies of (batch, weight), float64 [all weights]."""
    model.zero_grad()
    sum(weight * answer_cross_entropy(model, batch) for batch, weight in parts).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).double()


@pytest.mark.parametrize("count", [2, 3, 6])
def test_the_gradient_of_the_shares_is_that_of_the_batch(vlm, benchmark_folder, count):
    lessons, names = read_training_data(benchmark_folder)[:8], read_names(benchmark_folder)
    training_set = TrainingSet(vlm).add(lessons, names)
    for modality in ("multimodal", "text"):
        batch = next(training_set.stream(modality, 5, np.random.default_rng(0)))
        whole = gradient(vlm.model, (batch, 1))
        shared = gradient(vlm.model, *(share(batch, index, count) for index in range(count)))
        assert (shared - whole).norm() < 1e-5 * whole.norm()


def trained(benchmark: Path, folder: Path, config: dict, *options: str) -> dict[str, torch.Tensor]:
    """The weights after a training in this process."""
    given = ["--benchmark", str(benchmark), "--out", str(folder / "checkpoint"), *options]
    train.main(train.parser().parse_args(given), config)
    return load_file(folder / "checkpoint/model.safetensors")


def launched(benchmark: Path, folder: Path, config: dict, *options: str) -> subprocess.CompletedProcess:
    """The same as the workflow runs it, by the processes that the configuration says."""
    (folder / "train.yaml").write_text(yaml.safe_dump(config))
    given = ["--benchmark", benchmark, "--out", folder / "checkpoint", "--config", folder / "train.yaml", *options]
    return subprocess.run(
        [sys.executable, "-m", "manu.steps.train", "--rule", "train", "--log", folder / "log", *map(str, given)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )


RECIPE = {"epochs": 1, "learning_rate": 1e-3, "batch_size": 7, "schedule": "one_cycle", "looks": 0.5}
TOLERANCE = 1e-5  # of a weight, after some steps of 1e-3
BASE = {"stage": "base", "seed": 0, "model": "llava", "tuning": False, "architecture": SIZES, "training": RECIPE}


def far_apart(one: dict, other: dict) -> dict[str, float]:
    """Of each tensor that differs by more than rounding: the largest difference.

    Biases of keys are left out. They change no attention, so their gradient is rounding alone, which Adam scales up.
    """
    names = [name for name in one if not name.endswith("k_proj.bias")]
    differences = {name: (one[name] - other[name]).abs().max().item() for name in names}
    return {name: difference for name, difference in differences.items() if difference > TOLERANCE}


def test_two_processes_train_what_one_does_and_the_first_alone_writes(benchmark_folder, tmp_path):
    alone = trained(benchmark_folder, tmp_path / "alone", BASE)
    folder = tmp_path / "together"
    folder.mkdir()
    done = launched(benchmark_folder, folder, BASE | {"processes": 2})
    assert done.returncode == 0, done.stderr
    assert far_apart(alone, load_file(folder / "checkpoint/model.safetensors")) == {}
    assert {path.name for path in folder.iterdir()} == {"checkpoint", "log", "train.yaml", "train.provenance.json"}
    record = read_record(folder / "train.provenance.json")
    assert record["stage"] == "manu.steps.train" and record["configuration"]["content"]["processes"] == 2
    assert record["device"]["threads"] == 1 and "src/manu/training/sharing.py" in record["sources"]
    assert (folder / "log").read_text().count("loss") == done.stderr.count("loss") + 1 == 2  # the first step's, too


def test_adapters_are_shared_too(benchmark_folder, tmp_path):
    """From a base model, with gradient checkpointing; without dropout, whose draws are not those of one process."""
    trained(benchmark_folder, tmp_path / "base", BASE | {"model": "idefics2"})
    start = ("--start", str(tmp_path / "base/checkpoint"))
    config = {
        "stage": "vanilla",
        "seed": 0,
        "model": "idefics2",
        "training": RECIPE,
        "tuning": False,
        "loading": {"gradient_checkpointing": True},
        "lora": {"rank": 4, "alpha": 16, "dropout": 0},
    }
    alone = trained(benchmark_folder, tmp_path / "alone", config, *start)
    folder = tmp_path / "together"
    folder.mkdir()
    done = launched(benchmark_folder, folder, config | {"processes": 3}, *start)
    assert done.returncode == 0, done.stderr
    assert far_apart(alone, load_file(folder / "checkpoint/model.safetensors")) == {}


def test_a_mistake_ends_in_one_line(benchmark_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    config = {"stage": "vanilla", "seed": 0, "model": "llava", "training": RECIPE, "tuning": False, "processes": 2}
    done = launched(benchmark_folder, tmp_path, config, "--start", "empty")
    assert done.returncode == 2
    assert (
        done.stderr == "error: checkpoint empty: model.safetensors is missing; "
        "needed: a complete save_pretrained folder in safetensors\n"
    )


@pytest.fixture
def outside_of_a_scheduler(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path))


def test_a_job_takes_all_its_devices_and_leaves_the_others(outside_of_a_scheduler, tmp_path):
    locks = tmp_path / "locks"
    with lease(4, locks), lease_several(2, 4, locks) as devices, lease(4, locks) as last:
        assert (devices, last) == ([1, 2], 3)
    with lease_several(4, 4, locks) as devices:
        assert devices == [0, 1, 2, 3]


def test_without_a_gpu_there_is_none_and_with_too_few_it_is_told(outside_of_a_scheduler):
    with lease_several(2, 0) as devices:
        assert devices == []
    with (
        pytest.raises(UserError, match="'processes' is 3, each on a GPU of its own; this job has 2"),
        lease_several(3, 2),
    ):
        pass


@pytest.mark.parametrize("visible, shown", [("", "0,2"), ("4,5,7", "4,7")])
def test_the_launched_see_their_devices_alone(monkeypatch, visible, shown):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert launch.environment_of([0, 2])["CUDA_VISIBLE_DEVICES"] == shown
    assert launch.environment_of([])["CUDA_VISIBLE_DEVICES"] == visible
