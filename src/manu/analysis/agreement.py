"""Two runs of one study set side by side: do they say the same?

A number agrees if the two runs differ by no more than runs with other seeds would, in 95 of 100 cases: t s sqrt(2),
with s the standard deviation over the seeds of another snapshot, and t Student's at 0.975 with one degree of freedom
less than seeds; or by one answer, where the seeds differ by less. Without such seeds nothing says how far runs may
differ, and only equal numbers agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy  # its parts are imported when first used

from manu.analysis.cells import DECIMALS
from manu.core.errors import UserError
from manu.provenance.hashes import sha256_of_file

KEYS = ("model", "forget_ratio", "seed", "method", "split", "modality", "task", "metric", "metric_version")
CLAIM = ("claim", "model", "method")
LEVEL = 0.95
RELEASED = Path("results/reference")
_ROUNDING = 1.5 * 10.0**-DECIMALS  # of two numbers that are rounded


@dataclass(frozen=True)
class Agreement:
    """cells: a row per number that both runs have, KEYS, value, released, difference (value - released), allowed (by
    how much they may differ; NaN without seeds) and agrees; verdicts: a row per claim that both judge, CLAIM, verdict,
    released and agrees; same_bytes: of scores.csv; only_here, only_there: numbers that one run alone has."""

    cells: pd.DataFrame
    verdicts: pd.DataFrame
    same_bytes: bool
    only_here: int
    only_there: int

    @property
    def agrees(self) -> bool:
        """Whether every number and every verdict agrees."""
        return bool(self.cells["agrees"].all() and self.verdicts["agrees"].all())

    def sentence(self) -> str:
        """What to know first."""
        if self.same_bytes:
            return "This run has the same bytes as the released results."
        numbers, verdicts = self.cells["agrees"], self.verdicts["agrees"]
        judged = f", and {verdicts.sum()} of {len(verdicts)} verdicts are the same" if len(verdicts) else ""
        if self.cells["allowed"].isna().all():
            equal = f"{numbers.sum()} of {len(numbers)} numbers equal the released ones{judged}"
            return f"{equal}; no seeds say how far runs may differ."
        share = f"{numbers.sum()} of {len(numbers)} numbers within the spread of seeds{judged}"
        lead = "agrees" if numbers.mean() >= LEVEL and verdicts.all() else "does not fully agree"
        return f"This run {lead} with the released results: {share}."

    def by_method(self) -> pd.DataFrame:
        """Method and metric, the number of cells, the share that agrees, and the largest difference."""
        groups = self.cells.assign(size=self.cells["difference"].abs()).groupby(["method", "metric"], sort=False)
        table = groups.agg(numbers=("agrees", "size"), agree=("agrees", "mean"), largest=("size", "max"))
        return table.round(DECIMALS).reset_index()


def compare_runs(run: Path, released: Path, seeds: Path | None) -> Agreement:
    """A finished run, results/<study>, against another of the same study, such as results/reference/<study>.

    seeds: a snapshot with several seeds, whose tables/seeds.csv says how far runs differ. Raises UserError where a file
    is missing or the two have no number in common.
    """
    mine, theirs = _numbers(run), _numbers(released)
    both = mine.join(theirs["value"].rename("released"), how="inner").reset_index()
    if both.empty:
        raise UserError(f"{run} and {released} have no number in common: not the same study, or another version of it")
    both["difference"] = (both["value"] - both["released"]).round(DECIMALS)
    both["allowed"] = _allowed(both, seeds)
    both["agrees"] = both["difference"].abs() <= both["allowed"].fillna(0.0) + _ROUNDING
    verdicts = _verdicts(run).join(_verdicts(released)["verdict"].rename("released"), how="inner").reset_index()
    verdicts["agrees"] = verdicts["verdict"] == verdicts["released"]
    same = sha256_of_file(run / "scores.csv") == sha256_of_file(released / "scores.csv")
    return Agreement(both.drop(columns="n"), verdicts, same, len(mine) - len(both), len(theirs) - len(both))


def seeds_of(study: str) -> Path:
    """The snapshot with several seeds that says how far runs of a study differ: the study's own, or <study>-seeds."""
    return RELEASED / (study if study.endswith("-seeds") else f"{study}-seeds")


def one_line(study: str) -> str:
    """The comparison with the released run in a line; empty where there is none, or it has no number in common."""
    try:
        found = compare_runs(Path(f"results/{study}"), RELEASED / study, seeds_of(study))
    except UserError:
        return ""
    return f"{found.sentence()} make agree STUDY={study} tells more."


def _numbers(folder: Path) -> pd.DataFrame:
    """Scores and outcomes of a run, by KEYS; what is not defined is left out."""
    parts = []
    for file in ("scores.csv", "outcomes.csv"):
        if not (folder / file).is_file():
            raise UserError(f"{folder / file} is missing: needed is a finished study or a snapshot")
        parts.append(pd.read_csv(folder / file, dtype={"metric_version": str, "study": str}))
    numbers = pd.concat(parts, ignore_index=True).dropna(subset=["value"])
    return numbers.fillna({"task": ""}).set_index(list(KEYS))[["value", "n"]]


def _verdicts(folder: Path) -> pd.DataFrame:
    file = folder / "tables/claims.csv"
    rows = pd.read_csv(file) if file.is_file() else pd.DataFrame(columns=[*CLAIM, "verdict"])
    return rows.set_index(list(CLAIM))[["verdict"]]


def _allowed(cells: pd.DataFrame, seeds: Path | None) -> pd.Series:
    """By how much each number may differ; NaN where nothing says so."""
    file = seeds / "tables/seeds.csv" if seeds else None
    if file is None or not file.is_file():
        return pd.Series(np.nan, index=cells.index)
    spread = pd.read_csv(file, dtype={"metric_version": str}).fillna({"task": ""})
    spread = spread[spread["seeds"] > 1]
    t = scipy.special.stdtrit(spread["seeds"] - 1, (1 + LEVEL) / 2)  # quantile of Student's t
    spread = spread.assign(allowed=t * spread["sd"] * np.sqrt(2))
    keys = [key for key in KEYS if key != "seed"]
    allowed = cells.merge(spread[[*keys, "allowed"]], on=keys, how="left")["allowed"]
    one_answer = np.where(cells["n"] > 0, 1 / cells["n"].clip(lower=1), 0.0)
    return allowed.where(allowed.isna(), np.maximum(allowed, one_answer))


def told(found: Agreement, run: Path, released: Path, shown: int = 10) -> str:
    """The comparison for the terminal: the sentence, shares by method, largest differences, verdicts that differ."""
    lines = [f"{run} against {released}", "", found.sentence(), ""]
    lines += [f"{'method':24}{'numbers':>8}{'agree':>8}{'largest':>9}"]
    for method, group in found.cells.groupby("method", sort=False):
        accuracy = group[group["metric"] == "accuracy"]
        largest = f"{100 * accuracy['difference'].abs().max():.1f}" if len(accuracy) else "-"
        lines.append(f"{method:24}{len(group):>8}{100 * group['agrees'].mean():>7.0f}%{largest:>9}")
    lines += ["largest: the largest difference of an accuracy, in points"]
    apart = found.cells[~found.cells["agrees"]]
    apart = apart.reindex(apart["difference"].abs().sort_values(ascending=False, kind="stable").index)
    if len(apart):
        lines += ["", f"Largest differences beyond the spread of seeds ({min(shown, len(apart))} of {len(apart)}):"]
        lines += [
            f"  {_cell(row)}: {row['value']:.3f}, released {row['released']:.3f}" for _, row in apart[:shown].iterrows()
        ]
    differ = found.verdicts[~found.verdicts["agrees"]]
    if len(differ):
        lines += ["", f"Verdicts that differ ({len(differ)} of {len(found.verdicts)}):"]
        lines += [
            f"  {row['claim']}, {row['model']}, {row['method']}: {row['verdict']}, released {row['released']}"
            for _, row in differ.iterrows()
        ]
    if found.only_here or found.only_there:
        alone = f"{found.only_here} numbers of this run alone, {found.only_there} of the other alone"
        lines += ["", f"Not compared: {alone}."]
    return "\n".join(lines)


def _cell(row: Mapping) -> str:
    words = [row["model"], f"{row['forget_ratio']} %", row["method"], row["split"], row["modality"]]
    return " ".join([*words, *([row["task"]] if row["task"] else []), row["metric"]])
