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

from manu.commands.text import in_columns
from manu.core import extensions
from manu.core.errors import UserError
from manu.study.loading import STUDIES, read_study
from manu.study.model import Study

LOCK, PROJECT = Path("requirements.lock"), Path("pyproject.toml")
DEFAULT = "mini"
OLDEST = (3, 11)
_SLURM = ("sbatch", "squeue", "sinfo")
_GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One line of the answer. good: None if it does not matter; stops: the default study cannot run without it."""

    what: str
    text: str
    good: bool | None = None
    stops: bool = False


def diagnose() -> list[Finding]:
    """All findings in order; writes nothing and asks no network."""
    return [*_software(), *_machine(), *_extras(), *_network(), *_studies()]


def as_text(findings: list[Finding]) -> str:
    """One finding per row; the first column marks what is fine (ok) and what is missing (--)."""
    marks = {True: "ok", False: "--", None: ""}
    return in_columns((marks[finding.good], finding.what, finding.text) for finding in findings)


def _software() -> list[Finding]:
    version = platform.python_version()
    good = sys.version_info >= OLDEST
    findings = [Finding("Python", version if good else f"{version}; needed: 3.11 or newer", good, stops=True)]
    if not LOCK.is_file():
        text = f"there is no {LOCK} here; run this in the repository's folder"
        return [*findings, Finding("packages", text, False, stops=True)]
    pinned = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    installed = {name: _version(name) for name in pinned}
    missing = [name for name, version in installed.items() if version is None]
    other = [  # 2.13.0+cpu is a build of 2.13.0
        f"{name} {version} (lock: {pinned[name]})"
        for name, version in installed.items()
        if version is not None and version.partition("+")[0] != pinned[name]
    ]
    remedy = f"pip install -r {LOCK}"
    if missing:
        findings.append(Finding("packages", f"missing: {', '.join(missing)}; {remedy}", False, stops=True))
    elif other:
        findings.append(
            Finding(
                "packages", f"versions differ from {LOCK}, so bytes may differ: {', '.join(other)}; {remedy}", False
            )
        )
    else:
        findings.append(Finding("packages", f"all {len(pinned)} as in {LOCK}", True))
    return findings


def _machine() -> list[Finding]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    free = shutil.disk_usage(".").free / _GIB
    findings = [
        Finding("processor", f"{os.cpu_count()} cores, {memory:.0f} GiB of memory", memory >= 3),
        Finding("disk", f"{free:.0f} GiB free in {Path.cwd()}", free >= 2),
    ]
    if importlib.util.find_spec("torch") is None:
        return [*findings, Finding("torch", "not installed", False, stops=True)]
    import torch

    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    text = ", ".join(f"{card.name} ({card.total_memory / _GIB:.0f} GiB)" for card in cards)
    return [
        *findings,
        Finding("torch", f"{torch.__version__}; {text or 'no GPU: everything runs on the processor'}", True),
    ]


def _extras() -> list[Finding]:
    """The optional dependencies of the project."""
    if not PROJECT.is_file():
        return []
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    findings = []
    for name, packages in extras.items():
        missing = [package for package in packages if _version(package.partition("==")[0]) is None]
        text = f"not installed: {', '.join(missing)}; pip install '.[{name}]'" if missing else "installed"
        findings.append(Finding(f"extra {name}", text, None if missing else True))
    absent = [command for command in _SLURM if shutil.which(command) is None]
    text = f"no {', '.join(absent)} here" if absent else "its commands are here"
    return [*findings, Finding("Slurm", text, None if absent else True)]


def _network() -> list[Finding]:
    offline = os.environ.get("HF_HUB_OFFLINE", "")
    recorded = sorted(Path("config/checksums").glob("*.json")) if Path("config/checksums").is_dir() else []
    text = (
        "HF_HUB_OFFLINE is set: nothing is fetched"
        if offline not in ("", "0")
        else "may be asked (HF_HUB_OFFLINE is not set)"
    )
    return [Finding("model hub", f"{text}; checksums recorded of {len(recorded)} repositories")]


def _studies() -> list[Finding]:
    findings = []
    for file in sorted(STUDIES.glob("*.yaml")):
        stops = file.stem == DEFAULT
        try:
            lacking = _lacking(read_study(file.stem))
        except UserError as error:
            lacking = [str(error)]
        text = f"cannot run: {'; '.join(lacking)}" if lacking else "can run"
        findings.append(Finding(f"study {file.stem}", text, not lacking, stops=stops))
    extensions.forget()
    return findings


def _lacking(study: Study) -> list[str]:
    """What a valid study needs and this machine lacks."""
    from manu.models.language import language_path

    lacking = []
    for name, model in study.models.items():
        if model.language_model:
            try:
                language_path(model.language_model.model_dump(exclude_none=True), f"models.{name}.language_model")
            except UserError as error:
                lacking.append(str(error))
    if study.harness and importlib.util.find_spec("lm_eval") is None:
        lacking.append("the extra mmmu is not installed")
    if any(model.start for model in study.models.values()) and not _has_gpu():
        lacking.append("its models are of published size and there is no GPU")
    if study.benchmark.path and not Path(study.benchmark.path).exists():
        lacking.append(f"there is no {study.benchmark.path}")
    return list(dict.fromkeys(lacking))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
