"""What a job ran on: packages, repository, device, memory."""

import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from manu.core.arithmetic import is_portable

PACKAGE = Path(__file__).parents[1]


def package_versions() -> dict[str, str]:
    """Version of Python and of every distribution that this process has imported, by name."""
    owners = metadata.packages_distributions()
    imported = {name.partition(".")[0] for name in sys.modules}
    names = {name for module in imported for name in owners.get(module, ())} - {PACKAGE.name}
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in sorted(names)}


def repository() -> dict[str, Any]:
    """The commit of the package's git repository and whether the tree was clean; both null outside of one."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(PACKAGE), *arguments], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    status = git("status", "--porcelain") if commit else None
    return {"commit": commit, "clean": None if status is None else status == ""}


def device() -> dict[str, Any]:
    """Processor, vector instructions (`portable` with manu.core.arithmetic) and threads as torch uses them, operating
    system, and GPU if one was used."""
    torch = sys.modules.get("torch")
    return {
        "processor": _processor(),
        "instructions": f"{torch.backends.cpu.get_cpu_capability()}{', portable' * is_portable()}" if torch else None,
        "threads": torch.get_num_threads() if torch else None,
        "system": f"{platform.system()} {platform.machine()}",
        "gpu": torch.cuda.get_device_name() if torch and _uses_gpu() else None,
    }


def peak_memory() -> dict[str, int | None]:
    """Highest resident memory of this process, and highest memory allocated on its GPU, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    gpu = sys.modules["torch"].cuda.max_memory_allocated() if _uses_gpu() else None
    return {
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        "peak_gpu_memory_bytes": gpu,
    }


def _uses_gpu() -> bool:
    torch = sys.modules.get("torch")
    return bool(torch and torch.cuda.is_available() and torch.cuda.is_initialized())


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
