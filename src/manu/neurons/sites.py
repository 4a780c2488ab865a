"""Sites: named places in a model where neurons are, whatever its architecture."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class MlpSite:
    """One MLP block. A neuron is an input unit of its second linear layer.

    `first` holds the layers that produce the neuron's activation (gate and up, or fc1),
    `second` the one that consumes it (down, or fc2); z is the input of `second`,
    shape [batch, tokens, width].
    """

    name: str  # "<part>.<layer>", for example "language.0"
    part: str  # "language" or "vision"
    layer: int
    first: tuple[nn.Linear, ...]
    second: nn.Linear
    live: bool = True  # false of a layer whose output nothing reads

    @property
    def width(self) -> int:
        """Number of neurons."""
        return self.second.in_features


@dataclass(frozen=True)
class LinearSite:
    """One linear layer of an MLP, scored by its outputs as the released code does.

    A row is an output unit of `linear`; for down and fc2 that is a residual-stream dimension.
    """

    name: str  # "<part>.<kind>.<layer>", for example "language.gate.3"
    part: str  # "language" or "vision"
    kind: str  # "gate", "up", "down", "fc1" or "fc2"
    layer: int
    linear: nn.Linear

    @property
    def width(self) -> int:
        """Number of rows."""
        return self.linear.out_features


Site = MlpSite | LinearSite
