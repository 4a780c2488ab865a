"""Intervals over people of a mean.

The questions about one person are not independent (a model knows the person or does not), so people are the units. How
often the intervals hold the truth at 5, 10 and 15 people: `make bench ONLY=coverage`, docs/outcomes.md.
"""

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy  # its parts are imported when first used

_ROUNDING = 1e-9  # a sum of values at an end of their range may miss it by less


def cell_seed(*keys: object) -> int:
    """Seed in [0, 2**64) that depends on the cell's keys alone, the same on every machine and Python."""
    text = "\x1f".join(str(key) for key in keys)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")


@dataclass(frozen=True)
class Mean:
    """The mean over answers of some people, and how sure it is.

    value: sum(sums) / sum(counts), NaN without any answer; variance: of the value, between people,
    n / (n - 1) sum of (sums - value counts)^2 / sum(counts)^2 (the linearised variance of a ratio; Cochran 1977,
    chapter 6), NaN of one person; answers, people: their numbers; a person without an answer does not count.
    """

    value: float
    variance: float
    answers: int
    people: int

    @classmethod
    def of(cls, sums: np.ndarray, counts: np.ndarray) -> "Mean":
        """sums: float64 [people], each person's summed values; counts: [people], each person's number of answers.

        Raises ValueError when the two differ in length.
        """
        sums, counts = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
        if sums.shape != counts.shape:
            raise ValueError(f"{sums.size} sums, but {counts.size} counts")
        answers, people = counts.sum(), int(np.count_nonzero(counts))
        value = float(sums.sum() / answers) if people else float("nan")
        spread = float(np.square(sums - value * counts).sum() / answers**2) if people else float("nan")
        return cls(value, spread * people / (people - 1) if people > 1 else float("nan"), int(answers), people)

    @property
    def freedom(self) -> int:
        """Degrees of freedom of t: people - 1. One person is given 1, with which next to nothing is known."""
        return max(self.people - 1, 1)

    @property
    def effective_answers(self) -> float:
        """Independent answers that would be as sure: the number of answers divided by the design effect (Kish 1965)."""
        return self.answers / sum(self._design_effect)

    @property
    def assumed(self) -> float:
        """The share of the design effect that is assumed, not seen."""
        seen, assumed = self._design_effect
        return assumed / (seen + assumed)

    @property
    def _design_effect(self) -> tuple[float, float]:
        """The variance divided by that of independent answers, value (1 - value) / answers, as two terms.

        A weighted mean of two design effects. The first is observed, and has the weight f = answers * min(value,
        1 - value): the number of right or of wrong answers, whichever is smaller. The second is assumed, and has the
        weight of one answer: two answers about one person correlate by 1/2, which gives 1 + (answers per person - 1) /
        2. Where everybody is alike, the first is 0.
        """
        assumed = 1 + (self.answers / self.people - 1) / 2
        rare = self.answers * min(self.value, 1 - self.value)
        if rare < _ROUNDING or np.isnan(self.variance):
            return 0.0, assumed
        seen = self.variance * self.answers / (self.value * (1 - self.value))
        return rare * seen / (rare + 1), assumed / (rare + 1)

    def bounds(self, quantiles: np.ndarray) -> np.ndarray:
        """Of a mean of values in [0, 1]: the x, in [0, 1], with (x - value) / sqrt(x (1 - x) / effective_answers) equal
        to each of `quantiles` (Wilson 1927, with its sign). NaN where the value is NaN or outside [0, 1]."""
        if not -_ROUNDING <= self.value <= 1 + _ROUNDING:
            return np.full(np.shape(quantiles), np.nan)
        value, a = min(max(self.value, 0.0), 1.0), quantiles / self.effective_answers
        root = np.sqrt(value * (1 - value) / self.effective_answers + np.square(a) / 4)
        return (value + quantiles * (a / 2 + root)) / (1 + quantiles * a)


def score_interval(sums: np.ndarray, counts: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Interval (low, high) of a mean of values in [0, 1], over people: Wilson's score interval with a quantile of t and
    the effective number of answers.

    After Korn and Graubard (1998), who use an effective number and t for shares in surveys, and Franco et al. (2019),
    who find Wilson's interval the most reliable among those. sums, counts: [people] (Mean.of); level: a fraction.
    Raises ValueError when there is no answer.
    """
    mean = _mean(sums, counts)
    low, high = mean.bounds(_quantiles(level, mean.freedom))
    return float(low), float(high)


def t_interval(sums: np.ndarray, counts: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Interval (low, high) of a mean without a known range, over people: Student's t. NaN of one person.

    sums, counts, level: as for `score_interval`, and so is ValueError.
    """
    mean = _mean(sums, counts)
    low, high = mean.value + np.sqrt(mean.variance) * _quantiles(level, mean.freedom)
    return float(low), float(high)


def _mean(sums: np.ndarray, counts: np.ndarray) -> Mean:
    mean = Mean.of(sums, counts)
    if not mean.answers:
        raise ValueError("an interval needs at least one person and one answer")
    return mean


@cache
def _quantiles(level: float, freedom: int) -> np.ndarray:
    """The two ends of t that hold `level` between them."""
    return scipy.stats.t.ppf([(1 - level) / 2, (1 + level) / 2], freedom)
