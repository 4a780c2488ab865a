"""Where each method stands to what unlearning is for: the forget people as if never seen, asked either way, and
everybody else as before. One row per run and method, vanilla and retain_only among them.

The aim and its bounds are the project's (config/claims.yaml, `aim`); no published method claims all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from manu.analysis.cells import DECIMALS, escape, markdown_table
from manu.analysis.origin import Origin, same
from manu.analysis.outcomes import RUN, UTILITY_SPLITS, Run
from manu.analysis.resampling import ends
from manu.evaluation.vocabulary import MODALITIES, REFERENCES

FORGET = tuple(f"forget_{modality}" for modality in MODALITIES)
KEPT = tuple(f"kept_{split}" for split in UTILITY_SPLITS)
GAP = "modality_gap"
VALUES = (*FORGET, GAP, *KEPT)
COLUMNS = (
    *RUN,
    "method",
    *(f"{value}{end}" for value in VALUES for end in ("", "_ci_low", "_ci_high")),
    "meets",
    "misses",
)


@dataclass(frozen=True)
class Aim:
    """modality_gap: the largest that counts as even; kept: the least share of vanilla's accuracy (fractions)."""

    modality_gap: float
    kept: float


def standing_table(answers: pd.DataFrame, aim: Aim, resamples: int = 1000, level: float = 0.95) -> pd.DataFrame:
    """Classification accuracy on forget, the gap between the modalities' forgetting_success, and accuracy on retain
    and celebrity as shares of vanilla's (means over the modalities), each with its interval; then the aim (COLUMNS).

    answers: outcomes.ANSWER_COLUMNS, both references among the methods. `misses` names the values that miss the aim:
    accuracy on forget outside retain_only's interval, the gap above its bound, a share below its own; a value that
    is not defined or was not asked misses too. `meets` is "yes" where there are none.
    """
    rows = []
    for keys, group in answers.groupby(list(RUN), sort=True):
        run = Run(group, resamples)
        gold = {name: ends(draws, level) for name, draws in _values(run, "retain_only").items()}
        for method in dict.fromkeys([*REFERENCES, *sorted(run.methods)]):
            row = dict(zip(RUN, keys, strict=True)) | {"method": method}
            misses = []
            for name, draws in _values(run, method).items():
                value, low, high = (round(end, DECIMALS) for end in ends(draws, level))
                row |= {name: value, f"{name}_ci_low": low, f"{name}_ci_high": high}
                if not _meets(name, value, gold[name], aim):
                    misses.append(name)
            rows.append(row | {"meets": "no" if misses else "yes", "misses": " ".join(misses)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _values(run: Run, method: str) -> dict[str, np.ndarray]:
    """VALUES of a method, for each draw of people; NaN where nothing was asked."""
    nothing = np.full(len(next(iter(run.weights.values()))), np.nan)
    known = [run.mean(method, "forget", modality) for modality in MODALITIES]
    found = {name: nothing if part is None else part for name, part in zip(FORGET, known, strict=True)}
    successes = [run.success(method, modality) for modality in MODALITIES]
    there = all(success is not None for success in successes)
    found[GAP] = np.abs(successes[0] - successes[1]) if there else nothing
    for name, split in zip(KEPT, UTILITY_SPLITS, strict=True):
        parts = [[run.mean(each, split, modality) for modality in MODALITIES] for each in (method, "vanilla")]
        whole = split in run.weights and all(part is not None for each in parts for part in each)
        found[name] = sum(parts[0]) / sum(parts[1]) if whole else nothing
    return found


def _meets(name: str, value: float, gold: tuple[float, float, float], aim: Aim) -> bool:
    if name in FORGET:
        _, low, high = (round(end, DECIMALS) for end in gold)
        return low <= value <= high
    return value <= aim.modality_gap if name == GAP else value >= aim.kept


def markdown(table: pd.DataFrame, aim: Aim) -> str:
    """The table for reading, model by model: accuracies and shares in percent, each with its interval."""
    text = (
        "# Standing: how far each method is from what unlearning is for\n\n"
        "forget: classification accuracy on the forget people, percent, which is to lie within the interval of "
        f"retain\\_only. gap: between the two modalities' forgetting success, at most {aim.modality_gap:g}. kept: accuracy "
        f"as a share of vanilla's, percent, at least {100 * aim.kept:g}. In brackets intervals over people.\n"
    )
    for model, part in table.groupby("model", sort=False):
        columns = {
            **{name: part[name].map(escape) for name in ("forget_ratio", "seed", "method")},
            **{name: [_shown(row, name) for _, row in part.iterrows()] for name in VALUES},
            **{name: part[name].map(escape) for name in ("meets", "misses")},
        }
        titled = {name.replace("_", " "): cells for name, cells in columns.items()}
        text += f"\n## {escape(model)}\n\n{markdown_table(titled, ('method', 'meets', 'misses'))}\n"
    return text


def _shown(row: Mapping, name: str) -> str:
    """A value with its interval; a dash where there is none."""
    scale, places = (1, 2) if name == GAP else (100, 1)
    value, low, high = (f"{scale * row[f'{name}{end}']:.{places}f}" for end in ("", "_ci_low", "_ci_high"))
    return f"{value} [{low}, {high}]" if np.isfinite(row[name]) else "\N{EN DASH}"


def origin(row: Mapping[str, str], column: str) -> Origin | None:
    """The answers of the method and of the models that it is measured against."""
    name = column.removesuffix("_ci_low").removesuffix("_ci_high")
    if name not in VALUES:
        return None
    against = () if name in FORGET else REFERENCES if name == GAP else ("vanilla",)
    where = same(row, *RUN) | {"method": tuple(dict.fromkeys((row["method"], *against))), "task": ("classification",)}
    if name in KEPT:
        return Origin(("answers",), where | {"split": (name.removeprefix("kept_"),)}, "correct")
    modalities = (name.removeprefix("forget_"),) if name in FORGET else MODALITIES
    return Origin(("answers",), where | {"split": ("forget",), "modality": modalities}, "correct")
