"""The arithmetic of jobs on a CPU: the same bytes on every x86-64 processor with AVX2.

Libraries choose the kernels of a matrix product by the processor and its maker. Each kernel rounds its sums in its own
way, and training amplifies the differences: the same study gave other verdicts on another processor. So here

- matrix products go to numpy's OpenBLAS with the kernels of one type of processor, Haswell, the first with AVX2;
- torch's own kernels are those for AVX2;
- attention is made of such products, not of a kernel of its own;
- oneDNN and NNPACK are off; what is left to MKL, the convolution of a picture's patches, takes its compatible kernels.

Libraries read the environment when they are imported, so the package sets it before anything else. On a GPU and on
other processors (Arm) everything is calculated as the libraries do it, and the same machine repeats its own bytes.
"""

import ctypes
import os
import platform
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

ENVIRONMENT = {
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
}


def set_environment() -> None:
    """Choose the libraries' kernels, on x86-64. To be called before numpy and torch are imported."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.update(ENVIRONMENT)


@cache
def use_portable_products() -> bool:
    """Send torch's matrix products on the CPU to numpy, once in a process. Returns whether the bytes are portable.

    They are not on a machine with a GPU, on another processor, or if numpy's OpenBLAS has other kernels; then nothing
    is changed."""
    import torch

    avx2 = torch.backends.cpu.get_cpu_capability() == "AVX2"
    if torch.cuda.is_available() or not avx2 or openblas_kernels() != ENVIRONMENT["OPENBLAS_CORETYPE"]:
        return False
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a kernel is replaced
        library.impl("mm", _product, "CPU")
        library.impl("bmm", _product, "CPU")
        library.impl("addmm", _product_and_sum, "CPU")
    _kept.append(library)
    torch.backends.cuda.enable_flash_sdp(False)  # attention in one kernel; the switch counts on the CPU, too
    torch.backends.mkldnn.set_flags(False)
    torch.backends.nnpack.set_flags(False)
    return True


_kept: list = []  # a library takes its kernels with it when it goes


def is_portable() -> bool:
    """Whether this process has called `use_portable_products` and its bytes are portable."""
    return bool(_kept)


def openblas_kernels() -> str:
    """The type of processor whose kernels numpy's OpenBLAS uses, such as `Haswell`; empty with another library."""
    import numpy

    for file in sorted(Path(numpy.__file__).parents[1].glob("numpy.libs/libscipy_openblas*")):
        function = getattr(ctypes.CDLL(str(file)), "scipy_openblas_get_corename64_", None)
        if function is not None:
            function.restype = ctypes.c_char_p
            return function().decode()
    return ""


def _product(a: "Tensor", b: "Tensor") -> "Tensor":
    """[..., n, m] times [..., m, k]; 16-bit numbers, which numpy does not know, are multiplied in 32 bits."""
    import torch

    if a.dtype in (torch.bfloat16, torch.float16):
        return _product(a.float(), b.float()).to(a.dtype)
    return torch.from_numpy(a.detach().numpy() @ b.detach().numpy())


def _product_and_sum(bias: "Tensor", a: "Tensor", b: "Tensor", *, beta: float = 1, alpha: float = 1) -> "Tensor":
    """beta * bias + alpha * (a times b); a beta of 0 leaves the bias out, whatever it holds."""
    product = _product(a, b)
    if alpha != 1:
        product *= alpha
    return product.add_(bias, alpha=beta) if beta else product
