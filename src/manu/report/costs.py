"""What a study cost, from the records of its jobs."""

from collections.abc import Mapping, Sequence

from manu.report.grid import EMPTY, Cell, Column, Grid, name


def costs_grid(records: Sequence[Mapping]) -> Grid:
    """Per rule: jobs, seconds, highest memory; the dearest first."""
    rules: dict[str, list[Mapping]] = {}
    for record in records:
        rules.setdefault(record["rule"] or record["stage"].rpartition(".")[2], []).append(record["cost"])
    ordered = sorted(rules.items(), key=lambda item: (-sum(cost["wall_seconds"] for cost in item[1]), item[0]))
    gpu = any(record["cost"]["peak_gpu_memory_bytes"] for record in records)
    heads = [Column("rule", words=True), Column("jobs"), Column("seconds"), Column("highest memory, GiB")]
    rows = [
        [
            name(rule), Cell(str(len(costs)), look="number"),
            Cell(f"{sum(cost['wall_seconds'] for cost in costs):.1f}", look="number"),
            Cell(_gibibytes(costs, "peak_memory_bytes"), look="number"),
            *([Cell(_gibibytes(costs, "peak_gpu_memory_bytes"), look="number")] if gpu else []),
        ]
        for rule, costs in ordered
    ]  # fmt: skip
    columns = [*heads, *([Column("highest on the GPU, GiB")] if gpu else [])]
    return Grid("costs by rule", columns, rows, 1)


def _gibibytes(costs: Sequence[Mapping], key: str) -> str:
    most = max((cost[key] or 0 for cost in costs), default=0)
    return f"{most / 2**30:.2f}" if most else EMPTY
