"""The published importance of a neuron and its score (Liu et al. 2025, section 3): pure functions of sums."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from manu.core.words import MODALITIES, SETS
from manu.neurons.statistics.modality import ALL, ModalityStatistics, Sums

EPS = 1e-8


def i_abs(multimodal: Sums, text: Sums, eps: float = EPS) -> Tensor:
    """I_abs = |Z_multi - Z_text| / (Z_multi + Z_text + eps), Z_m = mean over d of |z_m(d)|; in [0, 1]."""
    return _contrast(multimodal.sum_abs / multimodal.count, text.sum_abs / text.count, eps)


def i_freq(multimodal: Sums, text: Sums, eps: float = EPS) -> Tensor:
    """I_freq = |N_multi - N_text| / (N_multi + N_text + eps), N_m = number of d with |z_m(d)| > tau; in [0, 1]."""
    return _contrast(multimodal.count_over, text.count_over, eps)


def i_var(multimodal: Sums, text: Sums, eps: float = EPS) -> Tensor:
    """I_var = sqrt(Var_multi + Var_text), in units of the activation; the one term without an upper bound."""
    return (_spread(multimodal) + _spread(text)).sqrt()


def i_rms(multimodal: Sums, text: Sums, eps: float = EPS) -> Tensor:
    """I_rms = sqrt(|E_multi - E_text| / (E_multi + E_text + eps)), E_m = sum over d of z_m(d)^2; in [0, 1].

    E_m is a sum as published, not a mean (docs/deviations.md#energy).
    """
    return _contrast(multimodal.sum_sq, text.sum_sq, eps).sqrt()


FUNCTIONS: Mapping[str, Callable[[Sums, Sums, float], Tensor]] = {
    "abs": i_abs,
    "freq": i_freq,
    "var": i_var,
    "rms": i_rms,
}


def importance(
    statistics: ModalityStatistics,
    data_set: str,
    functions: Sequence[str] = tuple(FUNCTIONS),
    pooling: str = "mean",
    eps: float = EPS,
    samples: int = ALL,
) -> dict[str, Tensor]:
    """I(D, n) = the sum of the named functions, for each site; float64 [width], at least 0.

    data_set: "forget" or "retain"; samples: how many of each modality to use, from the first on. Raises ValueError on a
    value that is not finite and when nothing was measured, UserError when fewer samples were measured.
    """
    result = {}
    for site in statistics.widths:
        multimodal, text = (statistics.sums(data_set, modality, pooling, site, samples) for modality in MODALITIES)
        _finite(multimodal.sum_sq + text.sum_sq, f"activations on the {data_set} set", site)
        values = torch.stack([FUNCTIONS[name](multimodal, text, eps) for name in functions]).sum(0)
        result[site] = _finite(values, f"importance on the {data_set} set", site)
    return result


def each_importance(
    statistics: ModalityStatistics, pooling: str = "mean", eps: float = EPS, samples: int = ALL
) -> dict[str, dict[str, Tensor]]:
    """Each importance by itself, by its column in the table of pruned neurons ("i_abs_forget"), then by site."""
    return {
        f"i_{function}_{data_set}": importance(statistics, data_set, (function,), pooling, eps, samples)
        for function in FUNCTIONS
        for data_set in SETS
    }


def score(forget: Mapping[str, Tensor], retain: Mapping[str, Tensor], eps: float = EPS) -> dict[str, Tensor]:
    """S_n = I(D_f, n) / (I(D_r, n) + eps) for each site; float64 [width], higher = more specific to forget.

    Raises ValueError on a value that is not finite.
    """
    return {site: _finite(forget[site] / (retain[site] + eps), "score", site) for site in forget}


def _contrast(multimodal: Tensor, text: Tensor, eps: float) -> Tensor:
    return (multimodal - text).abs() / (multimodal + text + eps)


def _spread(sums: Sums) -> Tensor:
    """Var_m = mean over d of (z_m(d) - Z_m)^2, centred on the mean magnitude Z_m as published."""
    mean_magnitude, mean, mean_square = sums.sum_abs / sums.count, sums.sum / sums.count, sums.sum_sq / sums.count
    spread = mean_square - 2 * mean_magnitude * mean + mean_magnitude.square()
    return spread.clamp_min(0)  # rounding can leave -1e-17; NaN passes through and is caught


def _finite(values: Tensor, what: str, site: str) -> Tensor:
    bad = (~values.isfinite()).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"{what}: {len(bad)} of {len(values)} neurons of {site} are not finite, first neuron {bad[0]}")
    return values
