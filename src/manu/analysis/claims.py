"""Claims as tests: a measure of one method in one run, as draws over people, held to a threshold.

A measure is `f(run, method, context) -> draws [resamples + 1], first the value itself`, or a text that says why there
is none: then the cell is inconclusive. config/claims.yaml names measures and thresholds; a verdict follows from them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from manu.analysis.cells import rounded
from manu.analysis.intervals import cell_seed
from manu.analysis.outcomes import RUN, Run, balanced, utility
from manu.analysis.resampling import ends, over_runs
from manu.core.errors import UserError
from manu.evaluation.vocabulary import MODALITIES

CELL_COLUMNS = (
    "claim",
    "model",
    "method",
    "forget_ratio",
    "seed",
    "measure",
    "threshold",
    "value",
    "ci_low",
    "ci_high",
    "verdict",
    "reason",
)
COLUMNS = (
    "claim",
    "says",
    "source",
    "model",
    "method",
    "measure",
    "threshold",
    "value",
    "ci_low",
    "ci_high",
    "cells",
    "runs",
    "verdict",
    "reason",
)
RATIO_COLUMNS = tuple("runs" if column == "seed" else column for column in CELL_COLUMNS)
REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE = "reproduced", "not reproduced", "inconclusive"
DESTROYED = "model destroyed"  # not reproduced, since what forgot is no longer a model that works
VERDICTS = {  # symbol, ink, background (of different greys in print)
    REPRODUCED: ("\N{CHECK MARK}", "#003f63", "#a6cfe8"),
    NOT_REPRODUCED: ("\N{BALLOT X}", "#8f3f00", "#fde6d4"),
    DESTROYED: ("\N{MULTIPLICATION SIGN}", "#ffffff", "#8f3f00"),
    INCONCLUSIVE: ("?", "#555555", "#f6f6f6"),
}
ALL = "all architectures"
EQUAL = 0.1  # forgetting successes that differ by no more count as equal
_KEYS = ("subjects", "baselines", "controls", "aim", "claims")  # of config/claims.yaml
SINGLE = ("only_abs", "only_freq", "only_var", "only_rms")


@dataclass(frozen=True)
class Context:
    """What a measure may need beside the run: the baselines, and the prune ratio of each variant of the ablation."""

    baselines: Sequence[str]
    prune_ratios: Mapping[str, float]
    union: str | None  # the variant with all importance functions at the ablation's own prune ratio


Measure = Callable[[Run, str, Context], np.ndarray | str]


def least_forgetting_success(run: Run, method: str, context: Context) -> np.ndarray | str:
    """The lesser of the two modalities' forgetting_success."""
    picture, text = (run.success(method, modality) for modality in MODALITIES)
    if picture is None or text is None:
        return "not asked in both modalities"
    return np.minimum(picture, text)


def selectivity(run: Run, method: str, context: Context) -> np.ndarray | str:
    """Accuracy on retain minus that on forget, mean over the modalities, less the same of vanilla."""
    return _selectivity(run, method) - _selectivity(run, "vanilla")


def balance_over_best_baseline(run: Run, method: str, context: Context) -> np.ndarray | str:
    """balanced_forgetting minus that of the baseline with the most."""
    others = [other for name in context.baselines if (other := run_balance(run, name)) is not None]
    mine = run_balance(run, method)
    if mine is None or not others or len(others) < len(context.baselines):
        return "no baseline was asked in both modalities"
    return mine - np.max(others, axis=0)


def utility_over_equal_baselines(run: Run, method: str, context: Context) -> np.ndarray | str:
    """retain_utility minus that of the best baseline whose forgetting_success is equal within EQUAL."""
    mine = _both(run, method)
    equal = [name for name in context.baselines if abs(_both(run, name)[0] - mine[0]) <= EQUAL]
    if not equal:
        return f"no baseline forgets as much as {method} within {EQUAL:g}"
    return _utility(run, method) - np.max([_utility(run, name) for name in equal], axis=0)


def growth_with_prune_ratio(run: Run, method: str, context: Context) -> np.ndarray | str:
    """forgetting_success (both modalities) at the ablation's largest prune ratio minus that at its smallest."""
    names = sorted((n for n in context.prune_ratios if n.startswith("ratio")), key=lambda n: context.prune_ratios[n])
    names = [name for name in names if name in run.methods]
    if method != "manu" or len(names) < 2:
        return "the ablation varies the prune ratio of manu at one forget ratio only"
    return _both(run, names[-1]) - _both(run, names[0])


def union_over_best_function(run: Run, method: str, context: Context) -> np.ndarray | str:
    """Selectivity (accuracy on retain minus on forget) of the union minus that of the best single function."""
    singles = [name for name in SINGLE if name in run.methods]
    if method != "manu" or context.union is None or context.union not in run.methods or not singles:
        return "the ablation varies the functions of manu at one forget ratio only"
    return _selectivity(run, context.union) - np.max([_selectivity(run, name) for name in singles], axis=0)


def mean_gain_over_baselines(run: Run, method: str, context: Context) -> np.ndarray | str:
    """Mean over the baselines of (success - baseline's) / baseline's, forgetting_success over both modalities."""
    mine = _both(run, method)
    others = [_both(run, name) for name in context.baselines]
    if not others or min(other[0] for other in others) <= 0:
        return "a baseline forgets nothing: a gain over it has no size"
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.mean([np.where(other > 0, (mine - other) / other, np.nan) for other in others], axis=0)


def utility_kept(run: Run, method: str, context: Context) -> np.ndarray | str:
    """retain_utility as a share of vanilla's."""
    return _utility(run, method) / _utility(run, "vanilla")


MEASURES: Mapping[str, Measure] = {
    measure.__name__: measure
    for measure in (
        least_forgetting_success,
        selectivity,
        balance_over_best_baseline,
        utility_over_equal_baselines,
        growth_with_prune_ratio,
        union_over_best_function,
        mean_gain_over_baselines,
        utility_kept,
    )
}


def run_balance(run: Run, method: str) -> np.ndarray | None:
    """balanced_forgetting of a method in a run."""
    picture, text = (run.success(method, modality) for modality in MODALITIES)
    return None if picture is None or text is None else balanced(picture, text)


class _NotAsked(Exception):
    """What a measure needs was not asked."""


def _over_modalities(parts: Iterable[np.ndarray | None]) -> np.ndarray:
    asked = list(parts)
    there = [part for part in asked if part is not None]
    if len(there) < len(asked):
        raise _NotAsked("not asked in both modalities")
    return np.mean(there, axis=0)


def _utility(run: Run, method: str) -> np.ndarray:
    found = utility(run, method)
    if found is None:
        raise _NotAsked(f"nothing that retain_utility is made of was asked of {method}")
    return found


def _both(run: Run, method: str) -> np.ndarray:
    return _over_modalities(run.success(method, modality) for modality in MODALITIES)


def _selectivity(run: Run, method: str) -> np.ndarray:
    kept, known = (_over_modalities(run.mean(method, s, m) for m in MODALITIES) for s in ("retain", "forget"))
    return kept - known


def verdict_of(low: float, high: float, threshold: float) -> str:
    """Reproduced if the whole interval is above the threshold, not if none of it is."""
    if low > threshold:
        return REPRODUCED
    return NOT_REPRODUCED if high <= threshold else INCONCLUSIVE


def verdict_over(verdicts: Sequence[str]) -> str:
    """Reproduced if all are, not reproduced or of a destroyed model if any is, the former before the latter."""
    for against in (NOT_REPRODUCED, DESTROYED):
        if against in verdicts:
            return against
    return REPRODUCED if verdicts and set(verdicts) == {REPRODUCED} else INCONCLUSIVE


@dataclass(frozen=True)
class Measured:
    """One claim put to one method in one run: the draws of its measure, or why there are none; and the share of what
    vanilla knows of the retain people that the method keeps."""

    claim: Mapping
    model: str
    forget_ratio: int
    seed: int
    method: str
    draws: np.ndarray | str
    kept: float

    @property
    def keys(self) -> dict[str, object]:
        """The cells of a row of CELL_COLUMNS that say what it is about."""
        about = {"claim": self.claim["id"], "measure": self.claim["measure"]}
        threshold = {"threshold": float(self.claim["threshold"])}
        run = {"model": self.model, "method": self.method, "forget_ratio": self.forget_ratio, "seed": self.seed}
        return about | threshold | run


def measured(answers: pd.DataFrame, claims: Mapping, context: Context, resamples: int) -> list[Measured]:
    """Every claim put to every subject and control in every run.

    answers: of all methods and of the ablation's variants; claims: config/claims.yaml.
    """
    found = []
    for keys, group in answers.groupby(list(RUN), sort=True):
        run, named = Run(group, resamples), dict(zip(RUN, keys, strict=True))
        there = replace(context, baselines=[name for name in context.baselines if name in run.methods])  # or diverged
        at = {key: named[key] for key in ("model", "forget_ratio", "seed")}
        for claim in claims["claims"]:
            controls = [*(claims["controls"] if claim.get("forgetting") else []), *claim.get("controls", [])]
            for method in [name for name in (*claims["subjects"], *controls) if name in run.methods]:
                try:
                    draws = MEASURES[claim["measure"]](run, method, there)
                except _NotAsked as error:
                    draws = str(error)
                found.append(Measured(claim, method=method, draws=draws, kept=run.kept(method), **at))
    return found


def claim_cells(cells: Sequence[Measured], level: float) -> pd.DataFrame:
    """The verdict in each run, from people alone (CELL_COLUMNS)."""
    rows = [cell.keys | _judged(cell.claim, cell.draws, cell.kept, level) for cell in cells]
    return rounded(pd.DataFrame(rows, columns=list(CELL_COLUMNS)))


def claims_over_runs(cells: Sequence[Measured], level: float) -> pd.DataFrame:
    """The verdict at each forget ratio (RATIO_COLUMNS), from people and training runs together (resampling.over_runs).

    A claim with `keeps` holds only for a method that keeps this share of what vanilla knows of the retain people, on
    average over the runs. Runs without a value do not count, unless none has one.
    """
    groups: dict[tuple, list[Measured]] = {}
    for cell in cells:
        groups.setdefault((cell.claim["id"], cell.model, cell.method, cell.forget_ratio), []).append(cell)
    rows = []
    for key, runs in groups.items():
        there = [cell.draws for cell in runs if not isinstance(cell.draws, str) and np.isfinite(cell.draws[0])]
        draws = over_runs(there, cell_seed(*key)) if there else runs[0].draws
        kept = float(np.mean([cell.kept for cell in runs]))
        judged = _judged(runs[0].claim, draws, kept, level)
        rows.append(runs[0].keys | judged | {"runs": len(there) or len(runs)})
    return rounded(pd.DataFrame(rows, columns=list(RATIO_COLUMNS)))


def _judged(claim: Mapping, draws: np.ndarray | str, kept: float, level: float) -> dict[str, object]:
    """Value, interval, verdict and reason."""
    if isinstance(draws, str):
        return {"verdict": INCONCLUSIVE, "reason": draws}
    value, low, high = ends(draws, level)
    verdict = verdict_of(low, high, claim["threshold"])
    reason = _reason(verdict, low, high)
    if kept < claim.get("keeps", 0.0):
        verdict, reason = DESTROYED, _destroyed(kept, claim["keeps"])
    return {"value": value, "ci_low": low, "ci_high": high, "verdict": verdict, "reason": reason}


def _reason(verdict: str, low: float, high: float) -> str:
    if np.isnan(low):
        return "the value is not defined: vanilla knows no more of the forget people than retain_only"
    return {
        REPRODUCED: "the interval lies above the threshold",
        NOT_REPRODUCED: "no part of the interval lies above the threshold",
        INCONCLUSIVE: "the threshold lies inside the interval",
    }[verdict]


def _destroyed(kept: float, least: float) -> str:
    return (
        f"not reproduced: the model is destroyed, it keeps {100 * kept:.0f} percent of what vanilla knows of the "
        f"retain people, and a claim of forgetting asks for {100 * least:g}"
    )


def claim_table(cells: pd.DataFrame, claims: Mapping) -> pd.DataFrame:
    """One row per claim, architecture and method (COLUMNS), then one per method for all architectures together.

    cells: of `claims_over_runs`. value: mean over the cells that have one; ci_low, ci_high: from the lowest end to the
    highest of theirs; runs: the fewest of a cell.
    """
    said = {claim["id"]: claim for claim in claims["claims"]}
    rows = []
    for (claim, model, method), group in cells.groupby(["claim", "model", "method"], sort=False):
        there = group.dropna(subset=["value"])
        # a cell for which the study has no measure does not speak against one that has
        verdict = verdict_over(list(there["verdict"])) if len(there) else INCONCLUSIVE
        counts = group["verdict"].value_counts()
        reason = "; ".join(f"{counts[each]} of {len(group)} {each}" for each in VERDICTS if each in counts)
        if not len(there):
            reason = group["reason"].iloc[0]
        rows.append(
            {
                "claim": claim,
                "says": said[claim]["says"],
                "source": said[claim]["source"],
                "model": model,
                "method": method,
                "measure": said[claim]["measure"],
                "threshold": float(said[claim]["threshold"]),
                "value": there["value"].mean(),
                "ci_low": there["ci_low"].min(),
                "ci_high": there["ci_high"].max(),
                "cells": len(group),
                "runs": int(group["runs"].min()),
                "verdict": verdict,
                "reason": reason,
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    alls = []
    for _, group in table.groupby(["claim", "method"], sort=False):
        row = group.iloc[0].to_dict() | {"model": ALL, "cells": int(group["cells"].sum())}
        row |= {"runs": int(group["runs"].min()), "value": np.nan, "ci_low": np.nan, "ci_high": np.nan}
        row |= {"verdict": verdict_over(list(group["verdict"]))}
        alls.append(row | {"reason": "; ".join(f"{r.model}: {r.verdict}" for r in group.itertuples())})
    return rounded(pd.DataFrame([*rows, *alls], columns=list(COLUMNS)))


def read_claims(document: object, path: str) -> Mapping:
    """The claims file, checked. Raises UserError naming what is wrong."""
    if not isinstance(document, Mapping) or not set(_KEYS) <= set(document):
        raise UserError(f"{path}: needs the keys {', '.join(_KEYS)}")
    if set(document["aim"]) != {"modality_gap", "kept"}:
        raise UserError(f"{path}: 'aim' needs modality_gap and kept, not {', '.join(document['aim'])}")
    for number, claim in enumerate(document["claims"]):
        missing = [key for key in ("id", "says", "source", "measure", "threshold") if key not in claim]
        if missing:
            raise UserError(f"{path}: claim {number + 1} lacks '{missing[0]}'")
        if not 0 < claim.get("keeps", 0.5) < 1:
            raise UserError(
                f"{path}: 'keeps' of '{claim['id']}' must be a fraction between 0 and 1, not {claim['keeps']}"
            )
        if claim["measure"] not in MEASURES:
            unknown = f"unknown measure '{claim['measure']}' of '{claim['id']}'"
            raise UserError(f"{path}: {unknown}; known: {', '.join(MEASURES)}")
    return document
