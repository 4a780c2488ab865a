"""What each method's edit of the vanilla model cost, beside what it achieved: one row per run and method."""

from collections.abc import Mapping, Sequence

import pandas as pd

from manu.analysis.cells import DECIMALS
from manu.analysis.grid import EMPTY, Cell, Column, Grid, TableOnPage, name
from manu.analysis.origin import From, Origin, Rows
from manu.analysis.outcomes import BOTH
from manu.analysis.page import Block, Fold, Page, Prose
from manu.analysis.reading import Inputs
from manu.analysis.shortened import shortened
from manu.analysis.tables.base import Table, plain_grid
from manu.core.errors import UserError
from manu.evaluation.vocabulary import MODALITIES
from manu.provenance.cost import PEAKS, total_cost
from manu.provenance.hashes import RECORD_SUFFIX
from manu.provenance.lineage import job_name, made_from, producers

RUN = ("study", "model", "forget_ratio", "seed", "method")
COSTS = {"seconds": "wall_seconds", **{name: name for name in PEAKS}}  # column -> its name in a record


def _outcome(metric: str, split: str, modality: str, value: str = "value") -> From:
    """A number of outcomes.csv for the same run."""
    return From("outcomes", RUN, value, {"metric": (metric,), "split": (split,), "modality": (modality,)})


ACHIEVED = {
    f"{modality}_{column}": _outcome("forgetting_success", "forget", modality, value)
    for modality in MODALITIES
    for column, value in (("forgetting_success", "value"), ("ci_low", "ci_low"), ("ci_high", "ci_high"), ("n", "n"))
} | {
    "balanced_forgetting": _outcome("balanced_forgetting", "forget", BOTH),
    "retention": _outcome("retention", "retain", BOTH),
}
COLUMNS = (*RUN, "jobs", *COSTS, *ACHIEVED)
SHOWN = (*RUN[1:], *COSTS, *(column for column in ACHIEVED if not column.endswith(("_ci_low", "_ci_high", "_n"))))


def make(inputs: Inputs, settings: Mapping) -> pd.DataFrame:
    """COLUMNS for every run and method of the outcomes except vanilla."""
    return cost_table(inputs.records(), inputs.table("outcomes"))


def cost_table(records: Mapping[str, Mapping], outcomes: pd.DataFrame) -> pd.DataFrame:
    """COLUMNS for every run and method of the outcomes except vanilla.

    records: path -> content, of the jobs that make an edit and of no others. seconds: wall time of the jobs behind the
    run, added up, with the statistics that it shares with other methods; peaks: the highest of any of them, in bytes;
    jobs: their records, below the run's folder. retain_only has its training. An undefined value is NaN.
    Raises UserError on a run without a record.
    """
    makers, achieved = producers(records), Rows(outcomes)
    rows = []
    for keys in outcomes.loc[outcomes["method"] != "vanilla", list(RUN)].drop_duplicates().to_dict("records"):
        folder = _folder(keys)
        edits = [name for name in records if name.startswith(f"{folder}/{keys['method']}/")]
        if not edits:
            raise UserError(f"no record says what {folder}/{keys['method']}/ cost; the workflow makes it: make study")
        jobs = [job for edit in edits for job in _behind(edit, records, makers)]
        total = total_cost(records[job] for job in jobs)
        short = " ".join(job.removeprefix(f"{folder}/").removesuffix(RECORD_SUFFIX) for job in jobs)
        spent = {column: total[name] for column, name in COSTS.items()}
        rows.append({**keys, "jobs": short, **spent, **{c: _one(achieved, come, keys) for c, come in ACHIEVED.items()}})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    whole = [*PEAKS, *(f"{modality}_n" for modality in MODALITIES)]
    numbers = [name for name in ("seconds", *ACHIEVED) if name not in whole]
    return table.astype(dict.fromkeys(whole, "Int64") | dict.fromkeys(numbers, "float64")).round(DECIMALS)


def _one(outcomes: Rows, come: From, keys: Mapping) -> float | None:
    """The outcome of a run; None where it has none."""
    values = outcomes.match(come.where(keys))[come.value].tolist()
    return values[0] if values else None


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The records of a run's jobs, or the run's row of the outcomes."""
    if column in COSTS:
        folder = _folder({**row, "forget_ratio": int(row["forget_ratio"])})
        files = tuple(f"{folder}/{job}{RECORD_SUFFIX}" for job in row["jobs"].split())
        return Origin(("records",), {"file": files}, COSTS[column])
    return ACHIEVED[column].origin(row) if column in ACHIEVED else None


def show(table: TableOnPage, page: Page) -> Sequence[Block]:
    """The table, then the jobs of the whole study by rule."""
    shown = [column for column in SHOWN if any(row.get(column) for row in table.rows)]
    few = TableOnPage(table.path, [{column: row[column] for column in shown} for row in table.rows])
    methods = plain_grid(shortened(few), RUN, page, TABLE.title)
    if not page.records:
        return [methods]
    minutes = sum(record["cost"]["wall_seconds"] for record in page.records.values()) / 60
    about = f"All {len(page.records)} jobs took {minutes:.1f} minutes, added up also where they ran at the same time."
    return [methods, Prose(about), Fold("Jobs, seconds and memory of each rule", [_by_rule(page.records)])]


def _by_rule(records: Mapping[str, Mapping]) -> Grid:
    """Jobs, seconds and highest memory of each rule, the dearest first."""
    rules: dict[str, list[Mapping]] = {}
    for record in records.values():
        rules.setdefault(job_name(record), []).append(record)
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
        for rule, total in sorted(totals.items(), key=lambda item: (-(item[1]["wall_seconds"] or 0), item[0]))
    ]
    return Grid("costs by rule", [*heads, *([Column("highest on the GPU, GiB")] if gpu else [])], rows, 1)


def _gibibytes(most: float | None) -> str:
    return f"{most / 2**30:.2f}" if most else EMPTY


def _folder(run: Mapping) -> str:
    """Where all edits of a model and forget ratio lie."""
    return f"results/{run['study']}/{run['model']}/seed{run['seed']}/forget{run['forget_ratio']:02d}"


def _behind(job: str, records: Mapping[str, Mapping], makers: Mapping[str, str]) -> list[str]:
    """The job after all those among `records` that it was made from, each once."""
    sources = made_from(records[job], makers)
    return list(dict.fromkeys([*(before for source in sources for before in _behind(source, records, makers)), job]))


TABLE = Table(
    title="Costs",
    caption="What each method's edit of the vanilla model cost in seconds and memory, beside its forgetting "
    "success, the balance over the modalities, and retention. retain_only is training anew without the "
    "forget set.",
    section="costs",
    needs=("records", "outcomes"),
    keys=RUN,
    folder="",
    make=make,
    origin=origin,
    show=show,
)
