"""The command `manu plan`: what it takes, and what it says."""

import argparse
import json

from manu.core.errors import UserError
from manu.planning.devices import CPU, device, known_devices
from manu.planning.jobs import TARGETS
from manu.study.loading import load_study


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of `manu plan`, beside --study."""
    known = ", ".join(known_devices())
    command.add_argument("--device", help=f"{known} (default: h100 of models that are fetched, else cpu: one core)")
    command.add_argument("--target", default="all", help="all (default), or robustness: its attacks as well")
    command.add_argument("--partition", metavar="NAME", help="check the Slurm profile, and this partition by sinfo")
    command.add_argument("--check", action="store_true", help="beside what a finished study's jobs took")
    command.add_argument("--json", action="store_true", help="the answer as JSON")


def plan(given: argparse.Namespace) -> tuple[str, int]:
    """Text to print, and the exit code 0; warnings are part of the text. Raises UserError."""
    study = load_study(given.study)
    fetched = any("start" in model for model in study["models"].values())
    on = device(given.device or ("h100" if fetched else CPU))
    if given.target not in TARGETS:
        raise UserError(f"unknown target '{given.target}'; known: {', '.join(TARGETS)}")

    from manu.planning import check, limits, report  # these import torch
    from manu.planning.plan import make_plan

    records = check.measured(study["name"]) if given.check else None
    profile = limits.read_profile() if given.partition else None
    partition = limits.read_partition(given.partition) if given.partition else None
    made = make_plan(study, given.study, on, given.target)
    if records:
        rows = check.compare(made, records)
        return (json.dumps(rows, indent=1) if given.json else check.as_text(made, rows)), 0
    warnings = limits.card_warnings(made)
    if profile:
        warnings += limits.slurm_warnings(made, profile, partition)
        if partition is None:
            warnings.append(f"partition {given.partition}: no sinfo here; checked against the profile alone")
    user_message = report.as_data(made, warnings) if given.json else report.as_text(made, warnings)
    return (json.dumps(user_message, indent=1, ensure_ascii=False) if given.json else user_message), 0
