"""The three kinds of unlearning methods, each an abstract class."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from manu.core.batch import Batch
from manu.core.errors import UserError
from manu.core.words import MODALITIES
from manu.neurons.selection import Selection
from manu.neurons.sites import MlpSite

VANILLA, RETAIN_ONLY = "vanilla", "retain_only"  # whose weights a loss compares with
ALTERNATING, PAIRED = "alternating", "paired"
_ABSENT: Any = None


@dataclass(frozen=True)
class Batches:
    """The batches of one step. Reading a batch that the method's class does not ask for raises UserError.

    forget: questions about the forget people. retain: about the others, in the modality of `forget`. refusal: the
    questions and pictures of `forget`, all answered by the method's refusal. knowledge: text questions about everybody.
    anchor: questions about nobody in the study, answered by the model that the method began with. A step of an
    alternating schedule has either forget or retain.
    """

    forget: Batch = _ABSENT
    retain: Batch = _ABSENT
    refusal: Batch = _ABSENT
    knowledge: Batch = _ABSENT
    anchor: Batch = _ABSENT

    def has(self, name: str) -> bool:
        """Whether the step has this batch."""
        return vars(self)[name] is not None

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if value is None:
            raise UserError(
                f"batches.{name} is not there; a method that uses it says needs_{name}: ClassVar[bool] = True"
            )
        return value


@dataclass(frozen=True, kw_only=True)
class TrainingMethod(ABC):
    """A method that changes the weights by gradient descent on `loss`.

    modalities: of the questions it trains on; the paper trains on image questions alone. anchor: weight of the
    closeness to the model that it begins with, on questions about nobody in the study (manu.unlearning.anchor); 0, as
    published: none. A method that needs refusals has the setting `refusal`, a sentence.
    """

    kind: ClassVar[str] = "training"
    needs_reference: ClassVar[bool] = False
    needs_retain: ClassVar[bool] = False
    needs_refusal: ClassVar[bool] = False
    needs_knowledge: ClassVar[bool] = False
    prunes: ClassVar["type[PruningMethod] | None"] = None  # the pruning method that comes first, of two joined ones

    learning_rate: float
    epochs: int
    batch_size: int
    modalities: tuple[str, ...] = ("multimodal",)
    anchor: float = 0.0

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")
        require(self.anchor >= 0, "anchor", self.anchor, "0 (none) or more")
        require_known("modalities", self.modalities, MODALITIES)

    @abstractmethod
    def loss(self, model: nn.Module, batches: Batches, reference: Any) -> Tensor:
        """The scalar to minimise.

        reference: nn.Module, frozen, the model that `reference_model` names; None unless the class says
        needs_reference.
        """

    @property
    def reference_model(self) -> str:
        """VANILLA: the model as it was when the method began (vanilla, unless something was unlearned before).
        RETAIN_ONLY: the gold reference of the forget ratio."""
        return VANILLA

    @property
    def alternates(self) -> bool:
        """Whether an epoch takes all forget batches, then all retain batches, at a constant learning rate; if not, the
        steps are the forget batches and the rate decays linearly to zero."""
        return False

    @property
    def pruning(self) -> "PruningMethod | None":
        """The pruning method that comes first, of two joined methods."""
        return None

    def restrict(
        self, model: nn.Module, sites: Sequence[MlpSite], batches: Iterable[Batches]
    ) -> dict[str, Tensor] | None:
        """The weights that may change: a mask (bool, the parameter's shape) by name; None lets all of them change.

        Called once, before the first step; a parameter without a mask keeps its bytes. sites: the model's MLPs;
        batches: one epoch, drawn independently of the training's batches.
        """
        return None

    def finish(self, model: nn.Module, reference: Any) -> None:
        """Edit the weights in place after the last step."""
        return


@dataclass(frozen=True, kw_only=True)
class ForgetAndRetain(TrainingMethod):
    """A training method with one loss on forget batches and another on retain batches.

    schedule: "alternating", as MLLMU-Bench's scripts: an epoch takes all forget batches, then the whole retain set, at
    a constant learning rate. "paired": a step takes one forget and one retain batch and adds their losses.
    """

    needs_retain: ClassVar[bool] = True

    schedule: str = ALTERNATING

    def __post_init__(self) -> None:
        super().__post_init__()
        require_known("schedule", (self.schedule,), (ALTERNATING, PAIRED))

    @abstractmethod
    def forget_loss(self, model: nn.Module, batch: Batch, reference: Any) -> Tensor:
        """The scalar to minimise on a forget batch."""

    @abstractmethod
    def retain_loss(self, model: nn.Module, batch: Batch, reference: Any) -> Tensor:
        """The scalar to minimise on a retain batch."""

    def loss(self, model: nn.Module, batches: Batches, reference: Any) -> Tensor:
        """The loss of the batch that the step has, or retain plus forget."""
        if not batches.has("retain"):
            return self.forget_loss(model, batches.forget, reference)
        retain = self.retain_loss(model, batches.retain, reference)
        return retain + self.forget_loss(model, batches.forget, reference) if batches.has("forget") else retain

    @property
    def alternates(self) -> bool:
        """Whether the schedule alternates."""
        return self.schedule == ALTERNATING


@dataclass(frozen=True, kw_only=True)
class PruningMethod(ABC):
    """A method that silences neurons, which it selects from statistics.

    statistics: name of their kind, a file in manu.neurons.statistics or an extension. prune_ratio: percent of the
    candidate units; factor: multiplies the outputs of the pruned units (0 removes them, as published; other public
    implementations scale, see docs/deviations.md#scaling).
    """

    kind: ClassVar[str] = "pruning"
    statistics: ClassVar[str]

    prune_ratio: float
    factor: float = 0.0

    def __post_init__(self) -> None:
        require(1 <= self.prune_ratio <= 99, "prune_ratio", self.prune_ratio, "from 1 to 99 percent")
        require(0 <= self.factor < 1, "factor", self.factor, "from 0 to less than 1")

    @property
    def pruning(self) -> "PruningMethod":
        """The method itself: nothing comes before it."""
        return self

    @abstractmethod
    def select(self, statistics: Any) -> Selection:
        """The units to prune. statistics: of the kind that the method names."""


@dataclass(frozen=True, kw_only=True)
class PromptingMethod(ABC):
    """A method that changes no weight: it puts a system prompt before every question."""

    kind: ClassVar[str] = "prompting"
    pruning: ClassVar[None] = None

    @abstractmethod
    def system_prompt(self, names: list[str]) -> str:
        """The system prompt that asks the model to refuse questions about the people named."""


def require(holds: bool, setting: str, value: object, needed: str) -> None:
    """Raise UserError unless `holds`. needed: the range of the setting, in words."""
    if not holds:
        raise UserError(f"{setting}: {value!r}; needed: {needed}")


def require_known(setting: str, values: Sequence[str], known: Sequence[str]) -> None:
    """Raise UserError unless `values` are distinct, at least one, and all among `known`."""
    for value in values:
        if value not in known:
            raise UserError(f"{setting}: unknown {value!r}; known: {', '.join(known)}")
    require(0 < len(values) == len(set(values)), setting, list(values), f"one or more of {', '.join(known)}, each once")
