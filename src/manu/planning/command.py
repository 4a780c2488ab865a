"""The command `manu plan`."""

import json

from manu.core.errors import UserError
from manu.jobs.job_list import TARGETS
from manu.planning.devices import CPU, device
from manu.study.loading import read_study


def plan(
    name: str, device_name: str | None, target: str, partition_name: str | None, measured: bool, as_json: bool
) -> str:
    """What the study `name` takes, with warnings, as text or JSON.

    device_name: of manu.planning.devices; by default "h100" for models that are fetched, else "cpu". target: one of
    TARGETS. partition_name: of Slurm; the jobs are checked against the profile and this partition. measured: compare
    with what the jobs of the finished study took. Raises UserError.
    """
    study = read_study(name)
    fetched = any(model.start for model in study.models.values())
    on = device(device_name or ("h100" if fetched else CPU))
    if target not in TARGETS:
        raise UserError(f"unknown target '{target}'; known: {', '.join(TARGETS)}")

    from manu.planning import check, limits, report  # these import torch
    from manu.planning.plan import make_plan

    records = check.measured(study.name) if measured else None
    profile = limits.read_profile() if partition_name else None
    partition = limits.read_partition(partition_name) if partition_name else None
    made = make_plan(study, name, on, target)
    if records:
        rows = check.compare(made, records)
        return json.dumps(rows, indent=1) if as_json else check.as_text(made, rows, check.not_planned(made, records))
    warnings = limits.card_warnings(made)
    if profile:
        warnings += limits.slurm_warnings(made, profile, partition)
        if partition is None:
            warnings.append(f"partition {partition_name}: no sinfo here; checked against the profile alone")
    if as_json:
        return json.dumps(report.as_data(made, warnings), indent=1, ensure_ascii=False)
    return report.as_text(made, warnings)
