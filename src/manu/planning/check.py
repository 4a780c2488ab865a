"""The plan beside what a finished study's records say that its jobs took."""

from pathlib import Path
from typing import Any

from manu.core.errors import UserError
from manu.planning.plan import Plan
from manu.planning.report import aligned
from manu.planning.wording import amount, hours, two_digits
from manu.provenance.cost import total_cost
from manu.provenance.hashes import RECORD_SUFFIX
from manu.provenance.record import read_record

OTHERS = "others, without a model"


def measured(study: str) -> dict[str, list[dict]]:
    """The records of a study's jobs by rule. Raises UserError when there are none."""
    folders = (Path("data") / study, Path("results") / study, Path("figures") / study)
    files = [file for folder in folders for file in sorted(folder.rglob(f"*{RECORD_SUFFIX}"))]
    if not files:
        raise UserError(f"study '{study}' has no records of jobs in {folders[1]}: run it, then check the plan")
    found: dict[str, list[dict]] = {}
    for file in files:
        record = read_record(file)
        found.setdefault(record["rule"], []).append(record)
    return found


def compare(plan: Plan, records: dict[str, list[dict]]) -> list[dict[str, Any]]:
    """One row per rule that runs a model and was measured, and one of all others: seconds of the work alone, as records
    leave out a job's start, and the largest memory of a job, on the card if there is one."""
    memory = "card_bytes" if plan.device.is_card else "host_bytes"
    groups: dict[str, tuple[list, list]] = {}
    for rule, jobs in plan.by_rule().items():
        name = rule if any(each.job.runs_model for each in jobs) else OTHERS
        if rule in records:
            mine = groups.setdefault(name, ([], []))
            mine[0].extend(jobs)
            mine[1].extend(records[rule])
    rows = []
    for name, (jobs, done) in groups.items():
        took = total_cost(done)
        peak = took["peak_gpu_memory_bytes" if plan.device.is_card else "peak_memory_bytes"]
        rows.append(
            {
                "rule": name,
                "planned_jobs": len(jobs),
                "measured_jobs": len(done),
                "planned_seconds": sum(each.work_seconds for each in jobs),
                "measured_seconds": took["wall_seconds"],
                "planned_bytes": max(getattr(each, memory) for each in jobs),
                "measured_bytes": peak or 0,
            }
        )
    return sorted(rows, key=lambda row: (row["rule"] == OTHERS, -row["measured_seconds"]))


def not_planned(plan: Plan, records: dict[str, list[dict]]) -> str:
    """One line about records of rules that the plan does not have: of another target, or by a name of an older version.

    Empty if there are none."""
    rules = sorted(records.keys() - plan.by_rule().keys())
    count = sum(len(records[rule]) for rule in rules)
    return f"not compared: {count} jobs of rules that this plan does not have: {', '.join(rules)}" if rules else ""


def as_text(plan: Plan, rows: list[dict[str, Any]], note: str = "") -> str:
    """The comparison for people, and a note below it; ratios are estimate / measured."""
    table = [["rule", "jobs", "measured", "estimate", "ratio", "measured", "estimate", "ratio"]]
    model = [row for row in rows if row["rule"] != OTHERS]
    total = {"rule": "total with a model", "planned_bytes": 0, "measured_bytes": 0}
    for key in ("planned_jobs", "measured_jobs", "planned_seconds", "measured_seconds"):
        total[key] = sum(row[key] for row in model)
    for row in [*rows, total]:
        jobs = str(row["planned_jobs"])
        jobs += "" if row["planned_jobs"] == row["measured_jobs"] else f" ({row['measured_jobs']} measured)"
        seconds = [hours(row["measured_seconds"]), hours(row["planned_seconds"]), _ratio(row, "seconds")]
        memory = [amount(row["measured_bytes"]), amount(row["planned_bytes"]), _ratio(row, "bytes")]
        table.append([row["rule"], jobs, *seconds, *(memory if row["measured_bytes"] else ["", "", ""])])
    title = f"Study '{plan.study.name}' as it ran, and as planned on {plan.device.name}: time, then memory"
    return "\n".join([title, "", *aligned(table), *(["", note] if note else [])])


def _ratio(row: dict, what: str) -> str:
    if not row[f"measured_{what}"] or not row[f"planned_{what}"]:
        return "-"
    return two_digits(row[f"planned_{what}"] / row[f"measured_{what}"])
