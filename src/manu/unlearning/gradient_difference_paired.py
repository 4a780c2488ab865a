"""Gradient difference with a retain batch beside each forget batch, in place of a whole epoch of retain afterwards."""

from dataclasses import dataclass

from manu.unlearning.base import PAIRED
from manu.unlearning.gradient_difference import GradientDifference


@dataclass(frozen=True, kw_only=True)
class PairedGradientDifference(GradientDifference):
    """L = CE(D_r) - CE(D_f) in every step, as Liu, Liu and Stone 2022 and Maini et al. 2024 (TOFU) state it."""

    schedule: str = PAIRED


METHOD = PairedGradientDifference
