"""What a kind of statistics is: what it keeps of an activation, what it adds up, and how that is stored.

The pass over the batches is shared by all kinds (manu.neurons.measuring).
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from manu.core.errors import UserError
from manu.core.words import MODALITIES, SETS
from manu.neurons.selection import MLP_INPUT
from manu.neurons.sites import Site
from manu.neurons.tensor_file import check_keys, load_tensors, save_tensors

HALF = "half/"


@dataclass(frozen=True)
class Activation:
    """What one forward pass shows at one site.

    z: [batch, tokens, width], the input of an MLP's second layer or the output of a linear layer; samples: how many;
    real: bool [batch, tokens], true at real tokens, None = all real; gradient: dL/dz in the shape of z for kinds that
    need gradients, else None.
    """

    site: Site
    z: Tensor
    samples: int
    real: Tensor | None = None
    gradient: Tensor | None = None


class Statistics(ABC):
    """Sums over the samples of the forget set and of the retain set, from which a pruning method scores units.

    name: the stem of the kind's file, by which a pruning method asks for it. unit: where it listens, MLP_INPUT (the
    neurons of an MLP) or LINEAR_OUTPUT (the outputs of every linear layer of an MLP). gradients: whether it needs
    dL/dz, which takes a backward pass. pools_layers: whether equal linear layers of a part share their sums. groups:
    the (set, modality) pairs whose batches it reads, in this order. arguments: those of the constructor beside
    `widths`, each an attribute; the file stores them. whole_retain_set: whether it is measured on all retain questions,
    or on as many batches as the forget set has.

    widths: units of each site by its name, in the order of the model; tensors: all that is added up, by key, in the
    shapes that they keep.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = MLP_INPUT
    gradients: ClassVar[bool] = False
    pools_layers: ClassVar[bool] = False
    groups: ClassVar[Sequence[tuple[str, str]]] = [
        (data_set, modality) for modality, data_set in product(MODALITIES, SETS)
    ]
    arguments: ClassVar[tuple[str, ...]] = ()
    whole_retain_set: ClassVar[bool] = True

    def __init__(self, widths: Mapping[str, int]) -> None:
        self.widths = dict(widths)
        self.tensors: dict[str, Tensor] = {}

    @classmethod
    def at(cls, sites: Iterable[Site], **arguments: Any) -> Self:
        """Statistics of these sites, with nothing added yet."""
        return cls.empty({site.name: site.width for site in sites}, **arguments)

    @classmethod
    def settings(cls, study: Mapping[str, Any], asked: Mapping[str, Collection[Any]]) -> dict[str, Any]:
        """The constructor's arguments beside `widths`, for a study.

        study: the study's `statistics`; asked: for each setting of the study's methods and variants, the values given.
        """
        return {}

    @classmethod
    def own_arguments(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The constructor's arguments among a job's settings of statistics."""
        return {argument: settings[argument] for argument in cls.arguments if argument in settings}

    @classmethod
    def bytes_per_unit(cls, **arguments: Any) -> int:
        """Bytes that each unit takes in memory and in the file; `manu plan` counts with them."""
        one, two = (
            sum(tensor.nbytes for tensor in cls.empty({"language.mlp.0": width}, **arguments).stored().values())
            for width in (1, 2)
        )
        return two - one

    @classmethod
    def empty(cls, widths: Mapping[str, int], **arguments: Any) -> Self:
        """Statistics with nothing added, and with all that a measurement keeps."""
        return cls(widths, **arguments)

    def halves(self) -> tuple[Self, Self] | None:
        """Statistics of two halves of the samples, to see how stable a selection is; None if the kind has none."""
        return None

    def stored(self) -> dict[str, Tensor]:
        """All tensors that the file holds, by key."""
        return self.tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take the tensors of a file, by the keys of `stored`."""
        self.tensors = tensors

    def listens(self, site: Site, modality: str) -> bool:
        """Whether the batches of a modality count at a site."""
        return True

    @abstractmethod
    def keep(self, activation: Activation, heard: dict[str, Any]) -> None:
        """Keep in `heard` what is needed of an activation. A pass calls this once or more for each site."""

    @abstractmethod
    def add(self, data_set: str, modality: str, heard: Sequence[dict[str, Any]], samples: int) -> None:
        """Add a batch of so many samples; `heard` has one entry, or one for each part that memory allowed at a time."""

    def finish(self) -> None:
        """Called once, after the last batch."""
        return

    def metadata(self) -> dict[str, Any]:
        """What the file says about the tensors."""
        return {argument: getattr(self, argument) for argument in self.arguments}

    def save(self, path: str | os.PathLike) -> None:
        """Write the tensors to one safetensors file, the arguments in its metadata."""
        widths = list(self.widths.items())
        save_tensors(path, self.stored(), {"content": self._content(), "widths": widths, **self.metadata()})

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read what `save` wrote. Raises UserError on another kind and on a missing, surplus or misshapen entry."""
        tensors, metadata = load_tensors(path, cls._content())
        for entry in ("widths", *cls.arguments):
            if entry not in metadata:
                raise UserError(f"{path}: misses {entry!r} in its metadata")
        arguments = {argument: metadata[argument] for argument in cls.arguments}
        statistics = cls.empty(dict(metadata["widths"]), **arguments)
        check_keys(path, tensors, {key: tuple(tensor.shape) for key, tensor in statistics.stored().items()})
        statistics.restore(tensors)
        return statistics

    @classmethod
    def _content(cls) -> str:
        return f"{cls.name} statistics"


class SampleStatistics(Statistics):
    """Statistics of values that each sample has at each unit, float64 [batch, width] of every batch.

    The values of a batch's parts are joined before they are added. A sample that does not pass through a site (plain
    text through the vision encoder) has no values there; `add_silent` counts it.

    adds_up: whether every tensor is a sum over the samples. Then the sums of every other sample are kept beside those
    of all, and give the two halves.
    """

    adds_up: ClassVar[bool] = False

    half: Self | None = None  # the sums of the samples 0, 2, 4 and so on of each set and modality
    parts = 1  # 2 for a half: the number of parts that the samples were dealt out to

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__(widths)
        self._seen: dict[tuple[str, str], int] = {}

    @classmethod
    def empty(cls, widths: Mapping[str, int], **arguments: Any) -> Self:
        """Statistics with nothing added, and with room for a half of the samples."""
        statistics = cls(widths, **arguments)
        if cls.adds_up:
            statistics.half = cls(widths, **arguments)
            statistics.half.parts = 2
        return statistics

    def halves(self) -> tuple[Self, Self] | None:
        """Statistics of every other sample, and of the rest."""
        if self.half is None:
            return None
        rest = type(self)(self.widths, **{argument: getattr(self, argument) for argument in self.arguments})
        rest.parts = 2
        rest.tensors = {key: whole - self.half.tensors[key] for key, whole in self.tensors.items()}
        return self.half, rest

    def stored(self) -> dict[str, Tensor]:
        """The sums of all samples, and with "half/" before the key those of every other sample."""
        half = self.half.tensors if self.half else {}
        return self.tensors | {f"{HALF}{key}": tensor for key, tensor in half.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take the tensors of a file."""
        self.tensors = {key: tensor for key, tensor in tensors.items() if not key.startswith(HALF)}
        if self.half:
            self.half.tensors = {key: tensors[f"{HALF}{key}"] for key in self.tensors}

    @abstractmethod
    def values(self, activation: Activation) -> dict[str, Tensor]:
        """The values of each sample at each unit: float64 [batch, width] by name."""

    @abstractmethod
    def add_values(self, data_set: str, modality: str, site: str, values: Mapping[str, Tensor]) -> None:
        """Add the values of a batch at a site."""

    def add_silent(self, data_set: str, modality: str, site: str, samples: int) -> None:
        """Count samples that do not pass through a site."""
        return

    def keep(self, activation: Activation, heard: dict[str, Any]) -> None:
        """Keep the values. Raises ValueError unless a site is passed once, with a row for each sample."""
        site, samples = activation.site.name, activation.samples
        if len(activation.z) != samples or site in heard:
            raise ValueError(f"{site}: needed one pass with {samples} rows, one per sample")
        heard[site] = self.values(activation)

    def add(self, data_set: str, modality: str, heard: Sequence[dict[str, Any]], samples: int) -> None:
        """Add the values of a batch at every site."""
        first = self._seen.get((data_set, modality), 0) % 2  # of the batch's samples that go into the half
        self._seen[data_set, modality] = first + samples
        for site in self.widths:
            if site in heard[0]:
                values = {name: _joined([part[site][name] for part in heard]) for name in heard[0][site]}
                self.add_values(data_set, modality, site, values)
                if self.half and samples > first:
                    every_other = {name: value[first::2] for name, value in values.items()}
                    self.half.add_values(data_set, modality, site, every_other)
            else:
                self.add_silent(data_set, modality, site, samples)
                if self.half:
                    self.half.add_silent(data_set, modality, site, len(range(first, samples, 2)))

    def zeros(self, key: str, width: int, *sums: str) -> dict[str, Tensor]:
        """Tensors of a site with nothing added: the number of samples, int64 [], and the sums, float64 [width]."""
        empty = {f"{key}/{name}": torch.zeros(width, dtype=torch.float64) for name in sums}
        return {f"{key}/count": torch.tensor(0, dtype=torch.int64), **empty}

    def increase(self, key: str, count: int, **sums: Tensor) -> None:
        """Add a number of samples and sums [width] to the tensors of `zeros`, on the device of the sums."""
        self.tensors[f"{key}/count"] = self.tensors[f"{key}/count"] + count
        for name, value in sums.items():
            self.tensors[f"{key}/{name}"] = self.tensors[f"{key}/{name}"].to(value.device) + value

    def count(self, key: str) -> int:
        """Number of samples added at a key."""
        return int(self.tensors[f"{key}/count"])


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
