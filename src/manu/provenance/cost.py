"""What jobs cost together."""

from collections.abc import Iterable, Mapping

PEAKS = ("peak_memory_bytes", "peak_gpu_memory_bytes")


def total_cost(records: Iterable[Mapping]) -> dict[str, float | int | None]:
    """Seconds of all jobs added up, and the highest memory of any one of them in bytes; None where none used it."""
    costs = [record["cost"] for record in records]
    peaks = {key: max((cost[key] or 0 for cost in costs), default=0) or None for key in PEAKS}
    return {"wall_seconds": sum(cost["wall_seconds"] for cost in costs), **peaks}
