"""The jobs of a study: the commands that Snakemake would run, so that a plan cannot drift from the workflow."""

import argparse
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from manu.core.errors import UserError
from manu.steps.command import StageParser

TARGETS = ("all", "robustness")
_COMMAND = re.compile(r"-m manu\.jobs\.start manu\.steps\.(\w+) (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """One job. options: of its stage, as the stage itself reads them; config: its resolved configuration;
    runs_model: whether it gets a GPU where there is one."""

    rule: str
    stage: str
    options: argparse.Namespace
    config: dict[str, Any]
    runs_model: bool


def planned_jobs(study: str, target: str = "all") -> list[Job]:
    """Every job of a study, finished ones too, from a dry run of the whole workflow; nothing is run.

    study: name or file; target: one of TARGETS. Like any dry run it writes the resolved configurations. Raises
    UserError with the workflow's own words when it cannot be planned.
    """
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", "--printshellcmds", "--nolock"]
    command += ["--cores", "1", "--config", f"study={study}", "--", target]
    done = subprocess.run(command, capture_output=True, text=True)
    said = f"{done.stdout}\n{done.stderr}"
    if done.returncode:
        errors = re.findall(r"^error: (.*)$", said, re.MULTILINE)
        raise UserError(errors[0] if errors else f"the workflow cannot be planned: {said.strip().splitlines()[-1]}")
    return read_jobs(said)


def read_jobs(said: str) -> list[Job]:
    """The jobs of a dry run's output; their resolved configurations are read from the files that it wrote."""
    return [_job(stage, shlex.split(words)) for stage, words in _COMMAND.findall(said)]


def _job(stage: str, words: list[str]) -> Job:
    parser = _parser(stage)
    options = parser.parse_args(words)
    config = yaml.safe_load(options.config.read_text(encoding="utf-8"))
    return Job(options.rule, stage, options, config, parser.runs_model)


@cache
def _parser(stage: str) -> StageParser:
    """The stage's options and those that every stage gets."""
    parser = import_module(f"manu.steps.{stage}").parser()
    parser.add_argument("--config", type=Path)
    parser.add_argument("--rule")
    parser.add_argument("--log", type=Path)
    return parser
