"""A stage by several processes of one machine, each on a GPU of its own: `accelerate launch` starts them.

The job's configuration says how many (`processes`; without the key a stage runs as any other). The process that the
workflow starts takes the GPUs and waits; those that it launches all do the stage's work, and the first writes.
"""

import argparse
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from manu.core import extensions
from manu.core.errors import UserError
from manu.jobs.device import lease_several
from manu.steps import command
from manu.steps.command import StageParser

log = logging.getLogger("manu")
LAUNCHED = "MANU_LAUNCHED"  # set in the environment of launched processes


def run(main: Callable[[argparse.Namespace, dict], str], parser: StageParser) -> None:
    """As `manu.steps.command.run`, by as many processes as the configuration says."""
    known = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    known.add_argument("--config", type=Path)
    known.add_argument("--log", type=Path)
    options, _ = known.parse_known_args()
    processes = _configuration(options.config).get("processes", 1) if options.config else 1
    if processes == 1:
        command.run(main, parser)
    elif LAUNCHED in os.environ:
        _take_part(main, parser)
    else:
        if options.log:
            options.log.parent.mkdir(parents=True, exist_ok=True)
            logging.basicConfig(
                filename=options.log, filemode="w", level=logging.INFO
            )  # until the first process has it
        spec = sys.modules[main.__module__].__spec__
        if spec is None:
            raise RuntimeError("a job runs as a module: python -m manu.steps.<step>")
        sys.exit(_launch(spec.name, processes))


def is_first() -> bool:
    """Whether this process is the one that writes: the only one of its stage, or the first."""
    return LAUNCHED not in os.environ or os.environ["RANK"] == "0"


def _launch(stage: str, processes: int) -> int:
    """Run the module `stage` with this process's arguments by launched processes, and return the exit code.

    What a user has to mend is said in one line, as elsewhere.
    """
    import torch

    # `--cpu` would start a single process; "multi_gpu" is the launcher's word for several of them, GPUs or not
    how = ["--multi_gpu", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    how += ["--num_processes", str(processes), "--num_cpu_threads_per_process", "1", "--main_process_port", "0"]
    try:
        with lease_several(processes, torch.cuda.device_count()) as devices:
            launch = [sys.executable, "-m", "accelerate.commands.launch", *how, "-m", stage, *sys.argv[1:]]
            done = subprocess.run(launch, env=environment_of(devices), stderr=subprocess.PIPE, text=True)
    except UserError as error:
        log.error("%s", error)
        sys.stderr.write(f"error: {error}\n")
        return 2
    mistakes = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    if done.returncode and mistakes:  # the launcher adds a traceback of its own
        sys.stderr.write(f"{mistakes[0]}\n")
        return 2
    sys.stderr.write(done.stderr)
    return done.returncode


def environment_of(devices: list[int]) -> dict[str, str]:
    """That of the launched processes, which see the leased devices alone."""
    environment = os.environ | {LAUNCHED: "1", "OMP_NUM_THREADS": "1"}
    if devices:
        visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(visible[index] if visible else str(index) for index in devices)
    return environment


def _take_part(main: Callable[[argparse.Namespace, dict], str], parser: StageParser) -> None:
    """The work of one launched process; all but the first leave no log and no record."""
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())  # meets the others, and makes its device torch's "cuda"
    parser.runs_model = False  # the devices are leased
    if state.is_main_process:
        command.run(main, parser)
    else:
        parser.add_argument("--config", type=Path)
        options, _ = parser.parse_known_args()
        config = _configuration(options.config)
        try:
            extensions.add(config.get("extensions", ()))
            main(options, config)
        except UserError as error:  # every process finds the same; whichever is the quickest says it
            sys.stderr.write(f"error: {error}\n")
            sys.exit(2)
    torch.distributed.destroy_process_group()


def _configuration(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
