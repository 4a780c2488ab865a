"""Rows of scores, outcomes and answers, and records, by hand. What a test does not say is the same in every test."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from manu.analysis import outcomes as measured
from manu.analysis.score_file import SCORE_COLUMNS

Row = dict[str, Any]
RUN = {"study": "tiny", "model": "llava", "method": "ga", "forget_ratio": 5, "seed": 0}
NUMBER = {"metric_version": "1", "n": 10, "higher_is_better": False}


def scores(*rows: Row) -> pd.DataFrame:
    """Rows of scores.csv: accuracy by name in multiple choice about the forget people; the value is both ends."""
    plain = RUN | NUMBER | {"split": "forget", "modality": "text", "task": "classification", "metric": "accuracy"}
    return pd.DataFrame([plain | _ends(row) | row for row in rows])[list(SCORE_COLUMNS)]


def outcomes(*rows: Row) -> pd.DataFrame:
    """Rows of outcomes.csv: of the forget people in both modalities; the value is both ends."""
    plain = RUN | NUMBER | {"split": "forget", "modality": "both"}
    return pd.DataFrame([plain | _ends(row) | row for row in rows])[list(measured.COLUMNS)]


def _ends(row: Row) -> Row:
    return {"ci_low": row["value"], "ci_high": row["value"]}


def answers(rows: Iterable[Row]) -> pd.DataFrame:
    """Scored answers of model m at 10 percent: classifications without options, unless the rows say otherwise."""
    plain = {"study": "s", "model": "m", "forget_ratio": 10, "seed": 0, "task": "classification", "reference": "x"}
    plain |= {"options": "", "option_log_likelihoods": "", "answer_losses": "", "correct": np.nan, "rougeL": np.nan}
    return pd.DataFrame([plain | row for row in rows])[list(measured.ANSWER_COLUMNS)]


def scored(rows: Iterable[Row]) -> pd.DataFrame:
    """Answers as the step `evaluate` writes them, as far as tables read them; no score unless the rows give it."""
    plain = RUN | dict.fromkeys(("correct", "rouge1", "rouge2", "rougeL", "bleu"), np.nan)
    return pd.DataFrame([plain | row for row in rows])


def alike(methods: Mapping[str, Mapping[tuple[str, str], float]], people: int) -> pd.DataFrame:
    """Five answers about each person, with the same share of them right for everyone: intervals without width.

    methods: method -> (split, modality) -> accuracy.
    """
    return answers(
        {"method": method, "split": split, "modality": modality, "profile_id": f"{split}{person}"}
        | {"question_id": f"{split}{person}/{modality}/{number}", "correct": float(number < round(5 * accuracy))}
        for method, cells in methods.items()
        for (split, modality), accuracy in cells.items()
        for person in range(people)
        for number in range(5)
    )


def record(
    stage: str, reads: dict, writes: dict, content: dict | None = None, seconds: float = 1.0, memory: int = 2**30
) -> dict[str, Any]:
    """A record as a job of a step leaves it. reads, writes: file -> one letter of its checksum."""
    content = content or {}
    return {
        "version": 1,
        "rule": stage,
        "stage": f"manu.steps.{stage}",
        "seed": content.get("seed"),
        "configuration": {"path": f"{next(iter(writes))}.yaml", "sha256": "c" * 64, "content": content},
        "options": {},
        "inputs": {"read": {path: mark * 64 for path, mark in reads.items()}} if reads else {},
        "outputs": {"out": {path: mark * 64 for path, mark in writes.items()}},
        "sources": {"src/manu/__init__.py": "d" * 64},
        "packages": {"python": "3.11"},
        "repository": {"commit": "e" * 40, "clean": True},
        "device": {"processor": "a processor", "instructions": "AVX", "threads": 2, "system": "Linux", "gpu": None},
        "cost": {"wall_seconds": seconds, "peak_memory_bytes": memory, "peak_gpu_memory_bytes": None},
    }


def squeezed(markdown: str) -> str:
    """Markdown without the spaces that align the columns of its tables."""
    return re.sub(" {2,}", " ", markdown)
