"""What a study cost, from the records of its jobs."""

from collections.abc import Mapping, Sequence

from manu.analysis.grid import EMPTY, Cell, Column, Grid, name
from manu.provenance.cost import total_cost


def costs_grid(records: Sequence[Mapping]) -> Grid:
    """Per rule: jobs, seconds, highest memory; the dearest first."""
    rules: dict[str, list[Mapping]] = {}
    for record in records:
        rules.setdefault(record["rule"] or record["stage"].rpartition(".")[2], []).append(record)
    totals = {rule: total_cost(jobs) for rule, jobs in rules.items()}
    gpu = any(total["peak_gpu_memory_bytes"] for total in totals.values())
    heads = [Column("rule", words=True), Column("jobs"), Column("seconds"), Column("highest memory, GiB")]
    rows = [
        [
            name(rule),
            Cell(str(len(rules[rule])), look="number"),
            Cell(f"{total['wall_seconds']:.1f}", look="number"),
            Cell(_gibibytes(total["peak_memory_bytes"]), look="number"),
            *([Cell(_gibibytes(total["peak_gpu_memory_bytes"]), look="number")] if gpu else []),
        ]
        for rule, total in sorted(totals.items(), key=lambda item: (-item[1]["wall_seconds"], item[0]))
    ]
    columns = [*heads, *([Column("highest on the GPU, GiB")] if gpu else [])]
    return Grid("costs by rule", columns, rows, 1)


def _gibibytes(most: int | None) -> str:
    return f"{most / 2**30:.2f}" if most else EMPTY
