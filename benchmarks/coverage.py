"""How often intervals over a few people hold the truth, and how wide they are: the one in use and others, simulated.

People are drawn from a population with a known rate, questions are answered by chance at each person's own rate. Rates,
correlations and numbers of people and questions are those that the default study has, and beyond.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import scipy

from benchmarks.sizes import Sizes
from benchmarks.tables import Table
from manu.analysis.intervals import cell_seed, score_interval
from manu.analysis.outcomes import balanced
from manu.analysis.resampling import ANYTHING, POSITIVE, SHARE, absolute, draw_weights, ends, mean_draws

LEVEL = 0.95
PEOPLE = (5, 10, 15)
MORE_PEOPLE = (90,)  # as the retain set of the default study has; means alone
RATES = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)
CORRELATIONS = (0.0, 0.1, 0.3, 0.6, 0.9)  # of two answers about one person
KINDS = {  # kind -> (questions per person, right or wrong)
    "classification": (5, True),
    "cloze": (2, True),
    "generation": (2, False),  # a score between 0 and 1, such as ROUGE
}
RESAMPLES = 499
PERCENTILE, USED = "percentile bootstrap", "Wilson, effective answers, t (in use)"
Ends = tuple[np.ndarray, np.ndarray]  # low and high, [samples]


def answer(sizes: Sizes, folder: Path) -> list[Table]:
    """The tables `summary`, `means` and `composites`."""
    means = pd.DataFrame(_means(sizes.simulated))
    composites = pd.DataFrame(_composites(max(sizes.simulated // 10, 1)))
    return [
        Table("summary", _SUMMARY, pd.concat([_over_cells(means, "mean"), _over_cells(composites, "composite")])),
        Table("means", _MEANS, means),
        Table("composites", _COMPOSITES, composites),
    ]


_MEANS = (
    f"Share of samples whose {100 * LEVEL:g} percent interval of a mean holds the truth, and the mean width. "
    "correlation: of two answers about one person; a person's rate is drawn from a beta distribution."
)
_COMPOSITES = (
    "The same for what is computed from several means: forgetting success with the picture and by name, their gap and "
    "balance, selectivity, retention and a utility, the mean of twelve means. shared: what methods have in "
    "common about a person and a question, 0 to 1."
)
_SUMMARY = (
    "Over all cells of the two other tables: the lowest and the mean coverage, the share of cells that reach 93 "
    "percent, and the mean width."
)


def _over_cells(table: pd.DataFrame, of: str) -> pd.DataFrame:
    keys = ["kind", "people", "interval"] if of == "mean" else ["quantity", "people", "interval"]
    cells = table.groupby(keys, sort=False)
    frame = pd.DataFrame(
        {
            "lowest_coverage": cells["coverage"].min(),
            "mean_coverage": cells["coverage"].mean(),
            "cells_at_93": cells["coverage"].agg(lambda covered: (covered >= 0.93).mean()),
            "mean_width": cells["width"].mean(),
        }
    )
    return frame.reset_index().rename(columns={keys[0]: "quantity"}).assign(of=of)


# Means


def _means(samples: int) -> Iterator[dict]:
    for kind, people, rate, correlation in product(KINDS, PEOPLE + MORE_PEOPLE, RATES, CORRELATIONS):
        rng = np.random.default_rng(cell_seed(kind, people, rate, correlation))
        values = simulated(kind, people, rate, correlation, samples, rng)
        for name, (low, high) in intervals(values, rng).items():
            cell = {"kind": kind, "people": people, "rate": rate, "correlation": correlation, "interval": name}
            held = (low <= rate + 1e-12) & (rate - 1e-12 <= high)
            yield cell | {"coverage": held.mean(), "width": (high - low).mean(), "samples": samples}


def simulated(
    kind: str, people: int, rate: float, correlation: float, samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Values of answers, [samples, people, questions], with mean `rate`."""
    questions, binary = KINDS[kind]
    rates = np.full((samples, people, 1), rate)
    if correlation > 0:
        spread = 1 / correlation - 1  # a + b of the beta distribution
        rates = rng.beta(rate * spread, (1 - rate) * spread, rates.shape)
    shape = (samples, people, questions)
    if binary:
        return (rng.random(shape) < rates).astype(np.float64)
    kept = np.clip(rates, 1e-6, 1 - 1e-6)
    return rng.beta(4 * kept, 4 * (1 - kept), shape)


def intervals(values: np.ndarray, rng: np.random.Generator) -> dict[str, Ends]:
    """The ends of every kind of interval. values: [samples, people, questions]."""
    samples, people, questions = values.shape
    own, level = values.mean(axis=2), (1 + LEVEL) / 2
    mean, error = own.mean(axis=1), own.std(axis=1, ddof=1) / np.sqrt(people)
    t, z = scipy.stats.t.ppf(level, people - 1), scipy.stats.norm.ppf(level)

    share = rng.multinomial(people, np.full(people, 1 / people), RESAMPLES) / people
    means = own @ share.T  # [samples, resamples]
    errors = np.sqrt(np.maximum(own**2 @ share.T - means**2, 0) / (people - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        studentised = (means - mean[:, None]) / errors
    studentised[~np.isfinite(studentised)] = 0.0
    low, high = np.quantile(studentised, [1 - level, level], axis=1)

    used = np.array([score_interval(each.sum(axis=1), np.full(people, questions), LEVEL) for each in values])
    return {
        PERCENTILE: _ends(np.quantile(means, [1 - level, level], axis=1)),
        "BCa bootstrap": _bca(own, means, level),
        "studentised bootstrap": (np.clip(mean - high * error, 0, 1), np.clip(mean - low * error, 0, 1)),
        "t over people": (np.clip(mean - t * error, 0, 1), np.clip(mean + t * error, 0, 1)),
        "Wilson over answers": _wilson(mean, np.full(samples, people * questions), z),
        "Wilson over people": _wilson(mean, np.full(samples, people), z),
        USED: (used[:, 0], used[:, 1]),
    }


def _ends(both: np.ndarray) -> Ends:
    return both[0], both[1]


def _wilson(mean: np.ndarray, number: np.ndarray, z: float) -> Ends:
    middle, a = mean + z**2 / (2 * number), z**2 / number
    half = z * np.sqrt(mean * (1 - mean) / number + a / (4 * number))
    return (middle - half) / (1 + a), (middle + half) / (1 + a)


def _bca(own: np.ndarray, means: np.ndarray, level: float) -> Ends:
    """Efron's (1987) bias-corrected and accelerated bootstrap. own: [samples, people]; means: [samples, resamples]."""
    normal = scipy.stats.norm
    mean = own.mean(axis=1, keepdims=True)
    below = ((means < mean).mean(axis=1) + (means <= mean).mean(axis=1)) / 2
    bias = normal.ppf(np.clip(below, 1 / means.shape[1], 1 - 1 / means.shape[1]))
    apart = own - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.nan_to_num((apart**3).sum(axis=1) / (6 * (apart**2).sum(axis=1) ** 1.5))
    ascending = np.sort(means, axis=1)
    found = []
    for z in (normal.ppf(1 - level), normal.ppf(level)):
        at = normal.cdf(bias + (bias + z) / (1 - slope * (bias + z)))
        place = np.clip((at * means.shape[1]).astype(int), 0, means.shape[1] - 1)
        found.append(np.take_along_axis(ascending, place[:, None], axis=1)[:, 0])
    return found[0], found[1]


# What is computed from several means

RETAIN_PEOPLE, QUESTIONS = 60, 5
MORE = 5  # cells of the retain set, beside the first, that utility is a mean of
VANILLA = {"picture": 0.985, "name": 0.998, "retain_picture": 0.99, "retain_name": 0.998}
GOLD = {"picture": 0.22, "name": 0.26}
METHODS = {  # rates of a method: forget with the picture and by name, retain the same
    "forgets both": (0.6, 0.6, 0.9, 0.9),
    "forgets faces": (0.3, 0.9, 0.6, 0.98),
    "forgets nothing": (0.98, 0.98, 0.98, 0.99),
    "as the gold reference": (0.25, 0.28, 0.98, 0.99),
}
Means = Mapping[tuple[str, str], np.ndarray]  # (model, cell) -> the mean for each draw


@np.errstate(divide="ignore", invalid="ignore")
def quantities(means: Means) -> dict[str, np.ndarray]:
    """What the study's tables compute, from means of the models `vanilla`, `gold` and `method`."""
    success = {
        asked: (means["vanilla", asked] - means["method", asked]) / (means["vanilla", asked] - means["gold", asked])
        for asked in GOLD
    }
    kept = {m: means[m, "retain_picture"] + means[m, "retain_name"] for m in ("vanilla", "method")}
    left = {m: means[m, "picture"] + means[m, "name"] for m in ("vanilla", "method")}
    return {
        "forgetting success, picture": success["picture"],
        "forgetting success, name": success["name"],
        "modality gap": absolute(success["picture"] - success["name"]),
        "balanced forgetting": balanced(success["picture"], success["name"]),
        "selectivity": (kept["method"] - left["method"] - kept["vanilla"] + left["vanilla"]) / 2,
        "retention": kept["method"] / kept["vanilla"],
        "model utility": np.mean(
            [means[key] for key in means if key[0] == "method" and key[1].startswith("retain")], 0
        ),
    }


RANGES = {"modality gap": POSITIVE, "retention": POSITIVE, "balanced forgetting": SHARE, "model utility": SHARE}


def _composites(samples: int) -> Iterator[dict]:
    for people, method, correlation, shared in product(PEOPLE, METHODS, (0.1, 0.4), (0.1, 0.7)):
        for (quantity, name), (covered, width) in composite(people, method, correlation, shared, samples).items():
            cell = {"quantity": quantity, "people": people, "method": method, "correlation": correlation}
            cell |= {"shared": shared, "interval": name}
            yield cell | {"coverage": covered, "width": width, "samples": samples}


def composite(
    people: int, method: str, correlation: float, shared: float, samples: int
) -> dict[tuple[str, str], tuple[float, float]]:
    """(quantity, kind of interval) -> share of samples that it covers, and its mean width. Samples in which the
    quantity is not defined do not count."""
    given = dict(zip(VANILLA, METHODS[method], strict=True))
    given |= {f"{cell}_{i}": given[cell] for cell in VANILLA if cell.startswith("retain") for i in range(MORE)}
    models = {"vanilla": VANILLA, "gold": GOLD, "method": given}
    rates = {(model, cell): rate for model, own in models.items() for cell, rate in own.items()}
    truth = quantities({key: np.array([rate]) for key, rate in rates.items()})
    rng = np.random.default_rng(cell_seed("composites", people, method, correlation, shared))
    found: dict[tuple[str, str], list[tuple[bool, float]]] = {}
    for _ in range(samples):
        sums = _answered(rates, people, correlation, shared, rng)
        for name, draw in _DRAWS.items():
            for quantity, draws in quantities(draw(sums, int(rng.integers(2**32)))).items():
                _, low, high = ends(draws, LEVEL, RANGES.get(quantity, ANYTHING))
                if np.isfinite(low):
                    held = bool(low - 1e-9 <= truth[quantity][0] <= high + 1e-9)
                    found.setdefault((quantity, name), []).append((held, high - low))
    return {
        key: (float(np.mean(held)), float(np.mean(width)))
        for key, each in found.items()
        for held, width in [zip(*each, strict=True)]
    }


def _answered(
    rates: Mapping[tuple[str, str], float], people: int, correlation: float, shared: float, rng: np.random.Generator
) -> dict[tuple[str, str], np.ndarray]:
    """Right answers of each person, (model, cell) -> [people]: a normal variable of person and question below a
    threshold, of which all models and modalities have the share `shared` in common."""
    common: dict[bool, tuple[np.ndarray, np.ndarray]] = {}
    sums = {}
    for (model, cell), rate in rates.items():
        retain = cell.startswith("retain")
        size = RETAIN_PEOPLE if retain else people
        shapes = (size, 1), (size, QUESTIONS)
        if retain not in common:
            common[retain] = rng.normal(size=shapes[0]), rng.normal(size=shapes[1])
        person, question = (
            np.sqrt(shared) * theirs + np.sqrt(1 - shared) * rng.normal(size=shape)
            for theirs, shape in zip(common[retain], shapes, strict=True)
        )
        latent = np.sqrt(correlation) * person + np.sqrt(1 - correlation) * question
        sums[model, cell] = (latent < scipy.stats.norm.ppf(rate)).sum(axis=1).astype(np.float64)
    return sums


def _in_use(sums: Mapping[tuple[str, str], np.ndarray], seed: int) -> Means:
    weights = {size: draw_weights(size, RESAMPLES, seed) for size in {len(right) for right in sums.values()}}
    return {
        key: mean_draws(weights[len(right)], right, np.full(len(right), QUESTIONS), cell_seed(seed, *key))
        for key, right in sums.items()
    }


def _plain(sums: Mapping[tuple[str, str], np.ndarray], seed: int) -> Means:
    rng = np.random.default_rng(seed)
    share = {
        size: np.vstack([np.ones((1, size)), rng.multinomial(size, np.full(size, 1 / size), RESAMPLES)]) / size
        for size in {len(right) for right in sums.values()}
    }
    return {key: share[len(right)] @ right / QUESTIONS for key, right in sums.items()}


PLAIN, IN_USE = "percentile bootstrap", "points of the means' intervals (in use)"
_DRAWS: Mapping[str, Callable[[Mapping[tuple[str, str], np.ndarray], int], Means]] = {PLAIN: _plain, IN_USE: _in_use}
