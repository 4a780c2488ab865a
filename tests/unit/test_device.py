"""Which device a stage takes: real processes, pretended devices."""

import logging
import subprocess
import sys
import threading

import pytest
import torch

from manu.jobs import device
from manu.jobs.device import lease, own_device

HOLDER = """
import sys
from pathlib import Path
from manu.jobs.device import lease
with lease(int(sys.argv[1]), Path(sys.argv[2])) as index:
    print(index, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch):
    """Outside of a scheduler; what is looked for again and again is looked for often."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device, "PAUSE", 0.01)


@pytest.fixture
def holder(tmp_path):
    """Start a process that leases one of `count` devices and holds it; returns it and its index."""
    started = []

    def start(count: int) -> tuple[subprocess.Popen, int]:
        command = [sys.executable, "-c", HOLDER, str(count), str(tmp_path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_processes_get_different_devices(holder, tmp_path):
    assert [holder(3)[1], holder(3)[1]] == [0, 1]
    with lease(3, tmp_path) as index:
        assert index == 2


def test_a_killed_process_frees_its_device(holder):
    first, index = holder(2)
    holder(2)
    first.kill()
    first.wait()
    assert holder(2)[1] == index


def test_a_third_process_waits_and_says_so(holder, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    _, (second, index) = holder(2), holder(2)
    threading.Timer(0.2, second.kill).start()
    with lease(2, tmp_path) as freed:
        assert freed == index
    assert [record.getMessage() for record in caplog.records] == [
        "all 2 devices are taken: waiting for one",
        "device 1",
    ]


def test_a_device_is_free_again_after_the_block(tmp_path):
    for _ in range(2):
        with lease(1, tmp_path) as index:
            assert index == 0


def test_a_device_has_one_lock_whatever_else_a_process_sees(holder, tmp_path, monkeypatch):
    assert holder(4)[1] == 0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    with lease(2, tmp_path) as index:
        assert index == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.lock", "3.lock"]


def test_the_one_device_of_a_scheduler_is_taken_without_a_lock(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    with lease(1, tmp_path) as index:
        assert index == 0
    assert not list(tmp_path.iterdir())


def test_without_a_gpu_there_is_nothing_to_take(tmp_path):
    with lease(0, tmp_path) as index:
        assert index is None
    assert not list(tmp_path.iterdir())


def test_a_job_whose_model_is_spread_takes_every_device_and_gives_them_back(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: pytest.fail("a spread model has no device of its own"))
    other = lease(2)
    assert other.__enter__() == 0
    threading.Timer(0.2, lambda: other.__exit__(None, None, None)).start()
    with own_device(True, spread=True):
        assert [record.getMessage() for record in caplog.records] == [
            "device 0",
            "device 1",
            "all 2 devices are taken: waiting for one",
            "device 0",
        ]
    with lease(2) as index:
        assert index == 0


@pytest.mark.parametrize("needed, used", [(True, [1]), (False, [])])
def test_a_stage_that_runs_a_model_runs_on_the_device_that_it_took(tmp_path, monkeypatch, needed, used):
    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    with lease(2), own_device(needed):
        assert chosen == used
