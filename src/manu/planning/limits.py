"""What a job may take: a card's memory, and on a cluster the limits of the Slurm profile and of a partition."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import yaml

from manu.core.errors import UserError
from manu.planning.plan import Estimate, Plan
from manu.planning.wording import amount, hours

PROFILE = Path("workflow/profiles/slurm")


@dataclass(frozen=True)
class Request:
    """What the profile asks for a rule's first attempt: memory in MB, minutes, GPUs."""

    mem_mb: int
    runtime: int
    gpu: int


@dataclass(frozen=True)
class Partition:
    """What a partition allows a job: memory of its largest node in MB, minutes, GPUs of a node; None: no limit."""

    name: str
    mem_mb: int
    minutes: int | None
    gpus: int


def profile_request(profile: dict, rule: str) -> Request:
    """Of a rule, from the profile's `default-resources` and `set-resources`, at the first attempt."""
    given = profile["default-resources"] | profile.get("set-resources", {}).get(rule, {})
    numbers = {key: _leading(str(given.get(key, 0))) for key in ("mem_mb", "runtime", "gpu")}
    return Request(**numbers)


def read_profile(folder: Path = PROFILE) -> dict:
    """The Slurm profile. Raises UserError when it is not there."""
    file = folder / "config.yaml"
    if not file.is_file():
        raise UserError(f"{file} is missing: --partition checks against the Slurm profile")
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def read_partition(name: str) -> Partition | None:
    """A partition's limits from `sinfo`; None on a machine without it. Raises UserError when sinfo does not know it."""
    if shutil.which("sinfo") is None:
        return None
    command = ["sinfo", "--noheader", f"--partition={name}", "--format=%l|%m|%G"]
    done = subprocess.run(command, capture_output=True, text=True)
    rows = [line.split("|") for line in done.stdout.split() if line.count("|") == 2]
    if done.returncode or not rows:
        raise UserError(f"unknown partition '{name}'; sinfo lists none of that name")
    minutes = [_minutes(limit) for limit, _, _ in rows]
    limited = [each for each in minutes if each is not None]
    return Partition(
        name,
        mem_mb=max(_leading(memory) for _, memory, _ in rows),
        minutes=max(limited) if len(limited) == len(minutes) else None,
        gpus=max(sum(int(n) for n in re.findall(r"gpu(?::[^:,(]+)?:(\d+)", gres)) for _, _, gres in rows),
    )


def _leading(text: str) -> int:
    """The number that a text begins with, as in `4000 * attempt`."""
    return int("".join(takewhile(str.isdigit, text)))


def _minutes(limit: str) -> int | None:
    """`2-00:30:00` -> 2910; None for `infinite`."""
    days, _, clock = limit.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in parts):
        return None
    hours, minutes, seconds = ([0, 0, 0] + [int(part) for part in parts])[-3:]
    return int(days or 0) * 1440 + hours * 60 + minutes + (seconds > 0)


def card_warnings(plan: Plan) -> list[str]:
    """Jobs that hold more than the memory that there is, the largest of a name; a model that is spread over several
    devices is not held against one."""
    needed: dict[str, float] = {}
    for each in plan.estimates:
        if each.job.settings.get("loading", {}).get("device_map") != "auto":
            holds = each.card_bytes if plan.device.is_card else each.host_bytes
            needed[each.name] = max(holds, needed.get(each.name, 0))
    has = f"{plan.device.name} has {amount(plan.device.memory)}"
    return [
        f"does not fit: {name} needs {amount(holds)}, {has}"
        for name, holds in needed.items()
        if holds > plan.device.memory
    ]


def slurm_warnings(plan: Plan, profile: dict, partition: Partition | None) -> list[str]:
    """Jobs that take more than the profile asks for, and requests that the partition does not grant; rules of the same
    request together."""
    rules: dict[Request, dict[str, list[Estimate]]] = {}
    for rule, jobs in plan.by_rule().items():
        rules.setdefault(profile_request(profile, rule), {})[rule] = jobs
    found = []
    for request, group in rules.items():
        found += _beyond(request, group)
        found += _refused(request, group, partition) if partition else []
    return found


def _beyond(request: Request, group: dict[str, list[Estimate]]) -> list[str]:
    asked = {
        "mem_mb": (1e6 * request.mem_mb, lambda each: each.host_bytes, amount),
        "runtime": (60 * request.runtime, lambda each: each.seconds, hours),
    }
    found = []
    for key, (limit, of, said) in asked.items():
        worst = {rule: max(jobs, key=of) for rule, jobs in group.items()}
        over = [rule for rule, each in worst.items() if of(each) > limit]
        if over:
            most = max(worst.values(), key=of)
            needed = f"{most.name} needs {said(of(most))}, the profile asks for {said(limit)}"
            found.append(f"{needed}: raise {key} of {', '.join(over)}")
    return found


def _refused(request: Request, group: dict[str, list[Estimate]], partition: Partition) -> list[str]:
    granted = {
        "MB of memory": (request.mem_mb, partition.mem_mb),
        "minutes": (request.runtime, partition.minutes),
        "GPUs": (request.gpu, partition.gpus),
    }
    return [
        f"partition {partition.name} allows {limit} {what}, the profile asks for {asked} for {', '.join(group)}"
        for what, (asked, limit) in granted.items()
        if limit is not None and asked > limit
    ]
