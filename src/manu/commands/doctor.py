"""The command `manu doctor`: what this machine can run, and why not."""

import importlib.util
import os
import platform
import re
import shutil
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from manu.core import extensions
from manu.core.errors import UserError
from manu.study.loading import STUDIES, is_fetched, load_study

LOCK, PROJECT = Path("requirements.lock"), Path("pyproject.toml")
DEFAULT = "mini"
OLDEST = (3, 11)
_SLURM = ("sbatch", "squeue", "sinfo")
_GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One line of the answer. good: None where nothing hangs on it; stops: without it the default study cannot run."""

    what: str
    user_message: str
    good: bool | None = None
    stops: bool = False


def diagnose() -> list[Finding]:
    """Everything that is looked at, in order; nothing is written and no network asked."""
    return [*_software(), *_machine(), *_extras(), *_network(), *_studies()]


def as_text(findings: list[Finding]) -> str:
    """A line each, marked where something is good or missing."""
    marks = {True: "ok", False: "--", None: ""}
    width = max(len(finding.what) for finding in findings) + 2
    return "\n".join(f"{marks[each.good]:4}{each.what:{width}}{each.user_message}".rstrip() for each in findings)


def _software() -> list[Finding]:
    version = platform.python_version()
    good = sys.version_info >= OLDEST
    found = [Finding("Python", version if good else f"{version}; needed: 3.11 or newer", good, stops=True)]
    if not LOCK.is_file():
        user_message = f"there is no {LOCK} here; run this in the repository's folder"
        return [*found, Finding("packages", user_message, False, stops=True)]
    wanted = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    there = {name: _version(name) for name in wanted}
    missing = [name for name, version in there.items() if version is None]
    other = [  # 2.13.0+cpu is a build of 2.13.0
        f"{name} {there[name]} (lock: {version})"
        for name, version in wanted.items()
        if there[name] is not None and there[name].partition("+")[0] != version
    ]
    mend = f"pip install -r {LOCK}"
    if missing:
        found.append(Finding("packages", f"missing: {', '.join(missing)}; {mend}", False, stops=True))
    elif other:
        found.append(
            Finding("packages", f"others than in {LOCK}, so bytes may differ: {', '.join(other)}; {mend}", False)
        )
    else:
        found.append(Finding("packages", f"all {len(wanted)} as in {LOCK}", True))
    return found


def _machine() -> list[Finding]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    free = shutil.disk_usage(".").free / _GIB
    found = [
        Finding("processor", f"{os.cpu_count()} cores, {memory:.0f} GiB of memory", memory >= 3),
        Finding("disk", f"{free:.0f} GiB free in {Path.cwd()}", free >= 2),
    ]
    if importlib.util.find_spec("torch") is None:
        return [*found, Finding("torch", "not installed", False, stops=True)]
    import torch

    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    user_message = ", ".join(f"{card.name} ({card.total_memory / _GIB:.0f} GiB)" for card in cards)
    return [
        *found,
        Finding("torch", f"{torch.__version__}; {user_message or 'no GPU: everything runs on the processor'}", True),
    ]


def _extras() -> list[Finding]:
    """The optional dependencies of the project."""
    if not PROJECT.is_file():
        return []
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    found = []
    for name, packages in extras.items():
        missing = [package for package in packages if _version(package.partition("==")[0]) is None]
        user_message = f"not installed: {', '.join(missing)}; pip install '.[{name}]'" if missing else "installed"
        found.append(Finding(f"extra {name}", user_message, None if missing else True))
    absent = [command for command in _SLURM if shutil.which(command) is None]
    user_message = f"no {', '.join(absent)} here" if absent else "its commands are here"
    return [*found, Finding("Slurm", user_message, None if absent else True)]


def _network() -> list[Finding]:
    offline = os.environ.get("HF_HUB_OFFLINE", "")
    recorded = sorted(Path("config/checksums").glob("*.json")) if Path("config/checksums").is_dir() else []
    user_message = (
        "HF_HUB_OFFLINE is set: nothing is fetched"
        if offline not in ("", "0")
        else "may be asked (HF_HUB_OFFLINE is not set)"
    )
    return [Finding("model hub", f"{user_message}; checksums recorded of {len(recorded)} repositories")]


def _studies() -> list[Finding]:
    found = []
    for file in sorted(STUDIES.glob("*.yaml")):
        stops = file.stem == DEFAULT
        try:
            lacking = _lacking(load_study(file.stem))
        except UserError as error:
            lacking = [str(error)]
        user_message = f"cannot run: {'; '.join(lacking)}" if lacking else "can run"
        found.append(Finding(f"study {file.stem}", user_message, not lacking, stops=stops))
    extensions.forget()
    return found


def _lacking(study: dict) -> list[str]:
    """What a valid study needs that is not here."""
    from manu.models.language import language_path

    lacking = []
    for name, model in study["models"].items():
        if "language_model" in model:
            try:
                language_path(model["language_model"], f"models.{name}.language_model")
            except UserError as error:
                lacking.append(str(error))
    if "harness" in study and importlib.util.find_spec("lm_eval") is None:
        lacking.append("the extra mmmu is not installed")
    if any("start" in model for model in study["models"].values()) and not _has_gpu():
        lacking.append("its models are of published size and there is no GPU")
    if (
        is_fetched(study["benchmark"])
        and "path" in study["benchmark"]
        and not Path(study["benchmark"]["path"]).exists()
    ):
        lacking.append(f"there is no {study['benchmark']['path']}")
    return list(dict.fromkeys(lacking))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
