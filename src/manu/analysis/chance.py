"""Accuracy above what guessing gives."""

import json
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def guessed(options: Iterable[str]) -> float:
    """The accuracy of guessing: one option of those that a question gives, and nothing where it gives none.

    options: of each question, as JSON or empty.
    """
    counts = [len(json.loads(each)) if each else 0 for each in options]
    return float(np.mean([1 / count if count else 0.0 for count in counts]))


def above_chance(accuracy: npt.ArrayLike, chance: npt.ArrayLike) -> np.ndarray:
    """(accuracy - chance) / (1 - chance), cut to [0, 1]: 0 for guessing, 1 for knowing everything."""
    accuracy, chance = np.asarray(accuracy, dtype=np.float64), np.asarray(chance, dtype=np.float64)
    return np.clip((accuracy - chance) / (1 - chance), 0.0, 1.0)
