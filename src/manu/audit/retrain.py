"""One cell of a study made again: its job runs a second time, elsewhere, and what it writes is compared.

On a machine of the same kind the files must have the same bytes. Another processor, GPU or package rounds differently,
which training amplifies; then the spread is reported: how far weights and accuracies differ.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from safetensors.numpy import load_file

from manu.audit.chain import Chain
from manu.audit.numbers import stage_module
from manu.core.diverged import marked
from manu.core.errors import UserError
from manu.core.words import hint
from manu.evaluation.answers import collect_answers
from manu.jobs.start import ADDRESS, THREADS
from manu.models.checkpoint import load_model
from manu.provenance.hashes import sha256_of_file
from manu.provenance.lineage import files, job_name
from manu.provenance.record import read_record, record_path


def jobs_of_cell(chain: Chain, cell: str) -> list[str]:
    """The records of the jobs that made a cell with a model, such as llava/seed0/forget10/ga.

    A method that only chooses neurons or settings has no such job of its own: then those whose outputs it read, such as
    the statistics. Raises UserError that lists the cells.
    """
    folder = f"results/{chain.study}/"
    cells: dict[str, list[str]] = {}
    for name in chain.ordered():
        if "/seed" in name and name.startswith(folder) and not name.startswith(f"{folder}answers/"):
            cells.setdefault(Path(name).parent.as_posix().removeprefix(folder), []).append(name)
    made = {
        known: [name for name in names if _runs_model(chain, name)]
        or [name for own in names for name in chain.sources_of(own) if _runs_model(chain, name)]
        for known, names in cells.items()
    }
    wanted = cell.removeprefix(folder).strip("/")
    if not made.get(wanted):
        raise UserError(f"study '{chain.study}' has no cell '{cell}'{hint(wanted, [k for k in made if made[k]])}")
    return list(dict.fromkeys(made[wanted]))


def _runs_model(chain: Chain, name: str) -> bool:
    return stage_module(chain.jobs[name]).parser().runs_model


def retrain(chain: Chain, name: str) -> dict[str, Any]:
    """Run a job again and compare its outputs.

    Returns record, seconds, files: their number, differ: those with other bytes, elsewhere: in what this machine and
    its packages differ from those of the job, and spread: lines on how far the outputs differ. Raises UserError if the
    job cannot run.
    """
    record = chain.jobs[name]
    for file in files(record["inputs"]):
        if chain.checksum(file) is None:
            raise UserError(f"{name}: its job cannot run again: {file} is missing")
    stored = files(record["outputs"])
    with tempfile.TemporaryDirectory(prefix="manu-again-") as folder:
        new = _run(record, Path(folder))
        again = {file: Path(folder) / file for file in stored}
        if missing := [file for file, other in again.items() if chain.checksum(file) is None or not other.is_file()]:
            raise UserError(f"{missing[0]} is missing, here or where its job ran again: nothing to compare")
        differ = {file: other for file, other in again.items() if chain.checksum(file) != sha256_of_file(other)}
        spread = [line for file, other in differ.items() for line in _spread(file, other)]
        spread += _accuracies(chain, record, Path(folder)) if differ else []
    return {
        "record": name,
        "seconds": new["cost"]["wall_seconds"],
        "files": len(stored),
        "differ": list(differ),
        "elsewhere": list(_elsewhere(record, new)),
        "spread": spread,
    }


def _run(record: Mapping, folder: Path) -> dict:
    """Run a job as the workflow does, with its outputs at their own paths below `folder`. Returns its new record."""
    config = folder / record["configuration"]["path"]
    config.parent.mkdir(parents=True)
    config.write_text(yaml.safe_dump(record["configuration"]["content"], sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "manu.jobs.start", record["stage"], "--config", str(config)]
    for name, value in record["options"].items():
        if value is not None:
            values = [str(each) for each in (value if isinstance(value, list) else [value])]
            written = name in record["outputs"]
            command += [f"--{name.replace('_', '-')}", *(str(folder / each) if written else each for each in values)]
    environment = {key: value for key, value in os.environ.items() if key != ADDRESS}
    environment[THREADS] = str(record["device"]["threads"] or 1)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("error: ")
        raise UserError(f"{job_name(record)} does not run again: {last}")
    return read_record(record_path(config))


def _elsewhere(record: Mapping, new: Mapping) -> Iterator[str]:
    """Where this machine and its packages are others than those of a job."""
    for what in ("device", "packages"):
        for name, ran in record[what].items():
            if name in new[what] and new[what][name] != ran:
                yield f"{name} {new[what][name]} here, {ran} in the record"


def _spread(file: str, again: Path) -> Iterator[str]:
    """How far two versions of an output differ."""
    if file.endswith(".safetensors"):
        old, new = load_file(file), load_file(again)
        if {key: value.shape for key, value in old.items()} != {key: value.shape for key, value in new.items()}:
            yield f"{file}: has other tensors"
            return
        apart = {key: np.abs(old[key].astype(np.float64) - new[key]) for key in old}
        norm = sum(float((each**2).sum()) for each in apart.values()) ** 0.5
        size = sum(float((each.astype(np.float64) ** 2).sum()) for each in old.values()) ** 0.5
        widest = max(float(each.max(initial=0.0)) for each in apart.values())
        yield f"{file}: numbers differ by at most {widest:.2g}, all together by {100 * norm / (size or 1):.2g} percent"
    elif file.endswith(".parquet"):
        frames = pd.read_parquet(file), pd.read_parquet(again)
        if len(frames[0]) == len(frames[1]) and {"reply", "choice"} <= {*frames[0]}:
            other = (frames[0][["reply", "choice"]].to_numpy() != frames[1][["reply", "choice"]].to_numpy()).any(axis=1)
            yield f"{file}: {other.sum()} of {len(other)} replies differ"
        else:
            yield f"{file}: has other rows"
    else:
        yield f"{file}: differs"


def _accuracies(chain: Chain, record: Mapping, folder: Path) -> Iterator[str]:
    """How far the accuracies of a checkpoint made again differ from those of the study."""
    for name in chain.ordered():
        asked, options = chain.jobs[name], chain.jobs[name]["options"]
        if asked["stage"] != "manu.steps.evaluate" or options["mask"] or options["system_prompt"]:
            continue
        if options["checkpoint"] == record["options"].get("out") and not marked(options["checkpoint"]):
            config = asked["configuration"]["content"]
            if marked(folder / options["checkpoint"]):
                yield "the training diverges here"
                return
            vlm = load_model(config, folder / options["checkpoint"])
            answers = collect_answers(vlm, Path(options["benchmark"]), config, config["ratios"], config["evaluation"])
            groups = [
                frame.groupby(["split", "modality"])["correct"].mean()
                for frame in (pd.read_parquet(options["out"]), answers)
            ]
            apart = (groups[1] - groups[0]).dropna()
            widest = apart.abs().idxmax()
            yield (
                f"accuracies differ by at most {100 * abs(apart[widest]):.1f} points ({', '.join(widest)}: "
                f"{100 * groups[0][widest]:.1f} in the study, {100 * groups[1][widest]:.1f} again)"
            )
