"""Two finished studies compared: the numbers that differ, and for each run the first job whose outputs differ."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from manu.analysis.score_file import CELL_KEYS, read_scores
from manu.audit.asked_for import differing
from manu.audit.chain import Chain
from manu.core.errors import UserError
from manu.provenance.hashes import RECORD_SUFFIX
from manu.provenance.lineage import files

_IGNORED = ("study",)  # the name of the study is in settings and answers, but changes no number
RUN_KEYS = ("model", "seed", "forget_ratio", "method")


def open_study(given: str) -> Chain:
    """A study by its name, or by a path <root>/results/<study> in another repository or bundle."""
    path = Path(given)
    if path.parent.name == "results":
        root, name = path.parent.parent, path.name
    elif "/" not in given:
        root, name = Path(), given
    else:
        raise UserError(f"'{given}' is neither a study's name nor a path <folder>/results/<study>")
    if not (root / "results" / name / "scores.csv").is_file():
        raise UserError(f"'{given}': there is no finished study: {root / 'results' / name / 'scores.csv'} is missing")
    return Chain(name, root)


def compare_studies(one: Chain, other: Chain) -> dict[str, Any]:
    """The differences between two studies.

    Numbers are the scores and the accuracies of the capacity tables; all other tables and figures follow from them.

    Returns `numbers`: the count of numbers in both; `only_in_one`, `only_in_other`: the counts of the others; `differ`:
    a list of {keys, one, other}; `parting`: for each run with different numbers its keys (RUN_KEYS), the first job
    whose outputs differ, and the likely causes.
    """
    joined = pd.concat([_numbers(one), _numbers(other)], axis=1, keys=["one", "other"])
    both = joined.dropna()
    differ = both[both["one"] != both["other"]]
    parting: list[dict[str, Any]] = []
    for values, group in differ.groupby(list(RUN_KEYS), sort=False):
        run = dict(zip(RUN_KEYS, values, strict=True))
        change = float((group["one"] - group["other"]).abs().max())
        parting.append({**run, "numbers": len(group), "largest": change, **_parting(one, other, run)})
    rows = differ.reset_index().to_dict("records")
    return {
        "numbers": len(both),
        "only_in_one": int(joined["other"].isna().sum()),
        "only_in_other": int(joined["one"].isna().sum()),
        "differ": rows,
        "parting": parting,
    }


def _numbers(chain: Chain) -> pd.Series:
    """Scores and capacity accuracies by their keys, without the study's name."""
    keys = [key for key in CELL_KEYS if key != "study"] + ["metric"]
    folder = chain.root / "results" / chain.study
    tables = [read_scores(folder / "scores.csv").set_index(keys)["value"]]
    for path in sorted(folder.glob("tables/capacity_*.csv")):
        table = pd.read_csv(path)
        random = table[table["prune_ratio"] > 0].assign(metric="accuracy")
        tables.append(random.set_index(keys)["accuracy"])
    return pd.concat(tables)


def _parting(one: Chain, other: Chain, run: Mapping) -> dict[str, Any]:
    """The first job, from the data on, whose outputs differ between the chains of one run's answers."""
    first, second = (_answers_job(chain, run) for chain in (one, other))
    if first is None or second is None:
        return {"job": None, "causes": ["one of the studies has no record of the answers"]}
    counterpart, before = {_neutral(name, other): name for name in other.behind([second])}, one.behind([first])
    for name in (name for name in one.ordered() if name in before):
        twin = counterpart.get(_neutral(name, one))
        if twin is None:
            return {"job": name, "causes": ["the other study has no such job"]}
        if not _same_outputs(one, name, other, twin):
            return {"job": name, "causes": list(causes(one.jobs[name], other.jobs[twin]))}
    return {"job": None, "causes": list(_aggregation(one, other)) or ["the answers are the same, the numbers are not"]}


def _aggregation(one: Chain, other: Chain) -> Iterator[str]:
    first, second = (chain.maker(f"results/{chain.study}/scores.csv")[1] for chain in (one, other))
    yield from causes(first, second)


def causes(one: Mapping, other: Mapping) -> Iterator[str]:
    """The differences between two records of the same job, the most likely cause first."""
    first, second = (
        {key: value for key, value in record["configuration"]["content"].items() if key not in _IGNORED}
        for record in (one, other)
    )
    for key, left, right in differing(first, second):
        yield f"{'seed' if key == 'seed' else f'configuration {key}'}: {left} against {right}"
    for what in ("sources", "packages"):
        for name in sorted({*one[what], *other[what]}):
            left, right = (record[what].get(name) for record in (one, other))
            if left != right:
                shown = "code" if what == "sources" else "package"
                yield f"{shown} {name}: {_brief(left)} against {_brief(right)}"
    for key, left in one["device"].items():
        if left != other["device"][key]:
            yield f"device {key}: {left} against {other['device'][key]}"


def _brief(text: str | None) -> str:
    return "none" if text is None else text[:12]


def _answers_job(chain: Chain, run: Mapping) -> str | None:
    """The record of a run's answers: of one forget ratio, or of a model that answers once for all ratios."""
    folder = f"results/{chain.study}/answers/{run['model']}/seed{run['seed']}"
    for inside in (f"forget{run['forget_ratio']:02d}/", ""):
        name = f"{folder}/{inside}{run['method']}{RECORD_SUFFIX}"
        if name in chain.jobs:
            return name
    return None


def _neutral(path: str, chain: Chain) -> str:
    """A path without the study's name."""
    top, _, rest = path.partition("/")
    return f"{top}/{rest.removeprefix(f'{chain.study}/')}"


def _same_outputs(one: Chain, name: str, other: Chain, twin: str) -> bool:
    left = {_neutral(file, one): checksum for file, checksum in files(one.jobs[name]["outputs"]).items()}
    right = {_neutral(file, other): checksum for file, checksum in files(other.jobs[twin]["outputs"]).items()}
    if left == right:
        return True
    if one.study == other.study or not all(file.endswith(".parquet") and "/answers/" in file for file in left):
        return False
    frames = [
        pd.read_parquet(chain.root / file).drop(columns="study")
        for chain, job in ((one, name), (other, twin))
        for file in files(chain.jobs[job]["outputs"])
    ]
    return frames[0].equals(frames[1])


def text(result: Mapping, one: str, other: str) -> str:
    """The comparison for the terminal."""
    lines = [f"{one} against {other}: {result['numbers']} numbers in both, {len(result['differ'])} differ"]
    for key, name in (("only_in_one", one), ("only_in_other", other)):
        if result[key]:
            lines.append(f"{result[key]} numbers are only in {name}")
    by_place: dict[tuple, list[Mapping]] = {}
    for part in result["parting"]:
        by_place.setdefault((part["job"], tuple(part["causes"])), []).append(part)
    for (job, why), parts in by_place.items():
        lines += ["", f"They part at {job or 'the aggregation'}:"]
        lines += [f"  {cause}" for cause in why[:12]] or [
            "  no recorded setting, file or machine differs: the job is not deterministic"
        ]
        if len(why) > 12:
            lines.append(f"  {len(why) - 12} more differences")
        numbers, largest = sum(part["numbers"] for part in parts), max(part["largest"] for part in parts)
        lines.append(f"  behind {numbers} numbers, up to {largest:.6f} apart, of {len(parts)} runs:")
        lines += [f"    {_run(part)}: {part['numbers']} numbers" for part in parts[:6]]
        if len(parts) > 6:
            lines.append(f"    {len(parts) - 6} more runs")
    return "\n".join(lines)


def _run(part: Mapping) -> str:
    return f"{part['model']}, seed {part['seed']}, forget {part['forget_ratio']} %, {part['method']}"
