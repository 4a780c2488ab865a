"""A plan as a table on the terminal, and for machines."""

from typing import Any

from manu.planning.plan import Estimate, Plan
from manu.planning.wording import amount, hours, number, two_digits

LEFT_OUT = (
    "drawing, enlarging and cropping pictures on the processor; sums of activations; the probe of `robustness`",
    "waiting for the network, for Slurm and for other jobs; how many jobs run at once",
    "that replies may end before the longest that is allowed",
    "jobs that fail and start again; memory that the allocator keeps in reserve",
    "tables, figures and the report beside their start; the split `language`; logs and records",
)


def rows_of(plan: Plan) -> list[dict[str, Any]]:
    """One row per rule that runs a model, and a last one for all others together."""
    rows, others = [], []
    for rule, jobs in plan.by_rule().items():
        if any(each.job.runs_model for each in jobs):
            rows.append(_row(rule, jobs))
        else:
            others += jobs
    rules = len({each.job.rule for each in others})
    return rows + ([_row(f"{rules} others, without a model", others)] if others else [])


def _row(name: str, jobs: list[Estimate]) -> dict[str, Any]:
    return {
        "rule": name,
        "jobs": len(jobs),
        "runs_model": any(each.job.runs_model for each in jobs),
        "seconds": sum(each.seconds for each in jobs),
        "longest_seconds": max(each.seconds for each in jobs),
        "card_bytes": max(each.card_bytes for each in jobs),
        "host_bytes": max(each.host_bytes for each in jobs),
        "disk_bytes": sum(each.disk_bytes for each in jobs),
    }


def as_data(plan: Plan, warnings: list[str]) -> dict[str, Any]:
    """The plan for machines: seconds and bytes, not rounded."""
    rows = rows_of(plan)
    device = {**vars(plan.device), "hours": plan.device.hours}
    models = {
        name: {"parameters": s.model.parameters, "source": s.model.source, "benchmark": s.benchmark.source}
        for name, s in plan.subjects.items()
    }
    return {
        "study": plan.study.name,
        "device": device,
        "models": models,
        "rules": rows,
        "total": {**_totals(rows), "download_bytes": sum(plan.downloads.values())},
        "downloads": plan.downloads,
        "warnings": warnings,
        "left_out": list(LEFT_OUT),
    }


def _totals(rows: list[dict]) -> dict[str, float]:
    """jobs, seconds of those with a model and of the others, bytes on disk."""
    return {
        "jobs": sum(row["jobs"] for row in rows),
        "model_seconds": sum(row["seconds"] for row in rows if row["runs_model"]),
        "other_seconds": sum(row["seconds"] for row in rows if not row["runs_model"]),
        "disk_bytes": sum(row["disk_bytes"] for row in rows),
    }


def as_text(plan: Plan, warnings: list[str]) -> str:
    """The plan for people, two digits of each number."""
    device, rows = plan.device, rows_of(plan)
    total = _totals(rows)
    has = f"{two_digits(device.flop_per_second / 1e9)} GFLOP/s sustained, {amount(device.memory)}"
    lines = [f"Study '{plan.study.name}' on {device.name} ({has}; {device.source})"]
    for name, subject in plan.subjects.items():
        sizes = subject.model
        parameters = f"{number(sizes.parameters)} parameters"
        lines.append(f"  {name}: {parameters} ({sizes.source}); benchmark: {subject.benchmark.source}")
    hour = device.hours
    headings = ["rule", "jobs", "longest", hour, *(["on the card"] if device.is_card else []), "memory", "disk"]
    cells = [
        [
            row["rule"],
            str(row["jobs"]),
            hours(row["longest_seconds"]),
            two_digits(row["seconds"] / 3600) if row["runs_model"] or not device.is_card else "-",
            *([amount(row["card_bytes"]) if row["runs_model"] else "-"] if device.is_card else []),
            amount(row["host_bytes"]),
            amount(row["disk_bytes"]) if row["disk_bytes"] else "-",
        ]
        for row in rows
    ]
    lines += ["", *aligned([headings, *cells]), ""]
    spent = total["model_seconds"] + (0 if device.is_card else total["other_seconds"])
    disk = amount(total["disk_bytes"])
    lines.append(f"total: {total['jobs']} jobs, {two_digits(spent / 3600)} {hour}, {disk} on disk")
    if device.is_card:
        lines[-1] += f", and {hours(total['other_seconds'])} of processor without a card"
    if plan.downloads:
        each = ", ".join(f"{name} {amount(size)}" for name, size in plan.downloads.items())
        lines.append(f"downloads: {amount(sum(plan.downloads.values()))} ({each})")
    else:
        lines.append("downloads: none")
    lines += ["", *(f"warning: {warning}" for warning in warnings), *([""] if warnings else [])]
    lines += ["An estimate by the formulas in docs/plan.md. It leaves out:", *(f"  {each}" for each in LEFT_OUT)]
    return "\n".join(lines)


def aligned(table: list[list[str]]) -> list[str]:
    """Rows of cells in columns: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in table]
