"""What each method's edit of the vanilla model cost, beside what it achieved: one row per run and method."""

from collections.abc import Mapping

import pandas as pd

from manu.analysis.cells import DECIMALS
from manu.analysis.origin import Origin, same
from manu.analysis.outcomes import BOTH
from manu.core.errors import UserError
from manu.evaluation.vocabulary import MODALITIES
from manu.provenance.cost import PEAKS, total_cost
from manu.provenance.hashes import RECORD_SUFFIX
from manu.provenance.lineage import made_from, producers

RUN = ("study", "model", "forget_ratio", "seed", "method")
COSTS = {"seconds": "wall_seconds", **{name: name for name in PEAKS}}  # column -> its name in a record
# column -> metric, split, modality and column of outcomes.csv
ACHIEVED = {
    f"{modality}_{name}": ("forgetting_success", "forget", modality, column)
    for modality in MODALITIES
    for name, column in (("forgetting_success", "value"), ("ci_low", "ci_low"), ("ci_high", "ci_high"), ("n", "n"))
} | {
    "balanced_forgetting": ("balanced_forgetting", "forget", BOTH, "value"),
    "retention": ("retention", "retain", BOTH, "value"),
}
COLUMNS = (*RUN, "jobs", *COSTS, *ACHIEVED)


def cost_table(records: Mapping[str, Mapping], outcomes: pd.DataFrame) -> pd.DataFrame:
    """COLUMNS for every run and method of `outcomes` (manu.analysis.outcomes.COLUMNS), vanilla apart.

    records: path -> content, of the jobs that make the edits and of no others. seconds: wall time of the jobs behind
    the run, added up, the statistics included that it shares with other methods; peaks: the highest of any of them,
    in bytes; jobs: their records, below the run's folder. retain_only has its training. What is not defined is NaN.
    Raises UserError on a run without a record.
    """
    makers = producers(records)
    achieved = outcomes.set_index([*RUN, "metric", "split", "modality"])
    rows = []
    for keys in outcomes.loc[outcomes["method"] != "vanilla", list(RUN)].drop_duplicates().itertuples(index=False):
        folder = _folder(keys._asdict())
        edits = [name for name in records if name.startswith(f"{folder}/{keys.method}/")]
        if not edits:
            raise UserError(f"no record says what {folder}/{keys.method}/ cost; the workflow makes it: make study")
        jobs = [job for edit in edits for job in _behind(edit, records, makers)]
        total = total_cost(records[job] for job in jobs)
        short = " ".join(job.removeprefix(f"{folder}/").removesuffix(RECORD_SUFFIX) for job in jobs)
        found = [achieved[column].get((*keys, *where)) for *where, column in ACHIEVED.values()]
        rows.append((*keys, short, *(total[name] for name in COSTS.values()), *found))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    whole = [*PEAKS, *(f"{modality}_n" for modality in MODALITIES)]
    numbers = [name for name in ("seconds", *ACHIEVED) if name not in whole]
    return table.astype(dict.fromkeys(whole, "Int64") | dict.fromkeys(numbers, "float64")).round(DECIMALS)


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The records of a run's jobs, or the run's row of the outcomes."""
    if column in COSTS:
        folder = _folder(row | {"forget_ratio": int(row["forget_ratio"])})
        files = tuple(f"{folder}/{job}{RECORD_SUFFIX}" for job in row["jobs"].split())
        return Origin(("records",), {"file": files}, COSTS[column])
    if column in ACHIEVED:
        metric, split, modality, taken = ACHIEVED[column]
        where = same(row, *RUN) | {"metric": (metric,), "split": (split,), "modality": (modality,)}
        return Origin(("outcomes",), where, taken)
    return None


def _folder(run: Mapping) -> str:
    """Where all edits of a model and forget ratio lie."""
    return f"results/{run['study']}/{run['model']}/seed{run['seed']}/forget{run['forget_ratio']:02d}"


def _behind(job: str, records: Mapping[str, Mapping], makers: Mapping[str, str]) -> list[str]:
    """The job after all those among `records` that it was made from, each once."""
    sources = made_from(records[job], makers)
    return list(dict.fromkeys([*(each for source in sources for each in _behind(source, records, makers)), job]))
