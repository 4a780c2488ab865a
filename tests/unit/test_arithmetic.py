"""Portable arithmetic: which products go where, and a training with the same bytes on every processor with AVX2."""

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from manu.core import arithmetic
from manu.core.arithmetic import use_portable_products
from manu.data.reading import read_names, read_training_data
from manu.training.dataset import TrainingSet
from manu.training.loop import Optimisation, fit

# What multiplies matrices or vectors in torch; convolutions of patches go to MKL's compatible kernels.
PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "addbmm", "mv", "addmv", "dot", "vdot", "addr", "linear", "matmul"}
PORTABLE = {"mm", "bmm", "addmm"}
# sha256 of the weights after the training below, with torch 2.13.0; recorded on an Intel Xeon with AVX512
TRAINED = {"llava": "24de243761a37cb4", "idefics2": "77ec9ab3ef96f44b"}
TORCH = "2.13.0"


class Seen(TorchDispatchMode):
    """The names of the operations that run."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def portable():
    if not use_portable_products():
        pytest.skip("no portable arithmetic: a GPU, a processor without AVX2, or another library than OpenBLAS")


def trained(vlm, folder: Path, steps: int = 12) -> str:
    """The hash of a model's weights after a short training."""
    records = read_training_data(folder)[:4]
    training_set = TrainingSet(vlm).add(records, read_names(folder))
    rng = np.random.default_rng(0)
    batches = [batch for _ in range(steps) for _, batch in training_set.epoch(8, rng)][:steps]
    fit(vlm.model, batches, lambda batch: vlm.model(**batch).loss, Optimisation(3e-3, steps))
    weights = (weight.detach().contiguous().numpy().tobytes() for weight in vlm.model.state_dict().values())
    return hashlib.sha256(b"".join(weights)).hexdigest()[:16]


def test_products_are_numpys(portable):
    draw = torch.Generator().manual_seed(0)
    a, b, bias = (torch.randn(*shape, generator=draw) for shape in ((5, 7), (7, 3), (3,)))
    assert torch.equal(a @ b, torch.from_numpy(a.numpy() @ b.numpy()))
    turned = a.T.contiguous().T
    assert torch.equal(turned @ b, torch.from_numpy(turned.numpy() @ b.numpy()))
    exact = (a.double() @ b.double()).float()
    assert torch.allclose(torch.addmm(bias, a, b), exact + bias, atol=1e-6)
    assert torch.allclose(torch.addmm(bias, a, b, beta=0.5, alpha=2), 2 * exact + 0.5 * bias, atol=1e-6)
    assert torch.allclose(torch.addmm(torch.full((3,), float("nan")), a, b, beta=0), exact, atol=1e-6)
    two = torch.bmm(torch.stack([a, 2 * a]), torch.stack([b, b]))
    assert torch.allclose(two, torch.stack([exact, 2 * exact]), atol=1e-6)
    half = a.bfloat16() @ b.bfloat16()
    assert half.dtype == torch.bfloat16 and torch.allclose(half.float(), exact, atol=0.1)


def test_gradients_pass_through(portable):
    a = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    b = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, y: (x @ y).tanh(), (a, b))


def test_every_product_of_a_model_goes_to_them(portable, vlm, benchmark_folder):
    """A training step of each architecture uses no product for which another library would choose the kernels."""
    seen = Seen()
    with seen:
        trained(vlm, benchmark_folder, steps=2)
    assert seen.names & PORTABLE and seen.names & PRODUCTS <= PORTABLE
    assert not [name for name in seen.names if "mkldnn" in name or "nnpack" in name or "flash" in name]


@pytest.mark.parametrize("vlm", TRAINED, indirect=True)
def test_a_training_has_the_same_bytes_on_every_processor(portable, vlm, request, benchmark_folder):
    if torch.__version__.partition("+")[0] != TORCH:
        pytest.skip(f"recorded with torch {TORCH}, not {torch.__version__}")
    assert trained(vlm, benchmark_folder) == TRAINED[request.node.callspec.params["vlm"]]


def test_the_environment_is_set_before_the_libraries_are_imported():
    code = "import sys, manu; print('numpy' in sys.modules, 'torch' in sys.modules)"
    code += "; from manu.core.arithmetic import *; print(openblas_kernels(), use_portable_products())"
    environment = {name: value for name, value in os.environ.items() if name not in arithmetic.ENVIRONMENT}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[0] == "False False"
    if use_portable_products():
        assert done.stdout.splitlines()[1] == "Haswell True" and not done.stderr


def test_other_machines_calculate_as_their_libraries_do(monkeypatch):
    monkeypatch.setattr(arithmetic, "openblas_kernels", lambda: "SkylakeX")
    assert use_portable_products.__wrapped__() is False
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(arithmetic.os, "environ", {})
    arithmetic.set_environment()
    assert arithmetic.os.environ == {}
