"""The interface of a vision-language model. Only the file of an architecture knows its details."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from PIL import Image
from torch import nn

from manu.core.errors import UserError
from manu.core.files import atomic_path
from manu.models.lazy_imports import TransformersClass
from manu.models.loading import Loading, check_checkpoint, check_settings, load_pretrained
from manu.models.sizes import size_mistake, square_side
from manu.neurons.sites import LinearSite, MlpSite

if TYPE_CHECKING:  # importing it takes seconds: manu.models.lazy_imports
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin


class VisionLanguageModel(ABC):
    """A vision-language model (VLM) with its processor.

    A subclass gives the classes of transformers, the layout of a prompt, and the places of the MLPs.
    """

    name: ClassVar[str]
    model_class: ClassVar["type[PreTrainedModel] | TransformersClass"]
    processor_class: ClassVar["type[ProcessorMixin] | TransformersClass"]
    architecture_class: ClassVar[type]  # frozen dataclass of sizes, for models trained from scratch
    released_vision_kinds: ClassVar[tuple[str, ...]]  # vision linear layers whose rows the released code prunes
    processor_settings: ClassVar[dict[str, Any]] = {}  # replace the checkpoint's settings
    picture_word: ClassVar[str] = "<image>"  # the processor's placeholder for a picture
    per_patch: ClassVar[tuple[str, ...]] = (".vision_",)  # in names of parameters that are applied to every patch
    takes_language: ClassVar[bool] = True  # whether `build` accepts a pretrained language model

    def __init__(self, model: "PreTrainedModel", processor: "ProcessorMixin | None") -> None:
        self.model: Any = model  # its modules depend on the architecture
        self.processor: Any = processor

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The processor's tokenizer."""
        return self.processor.tokenizer

    @classmethod
    @abstractmethod
    def build(cls, architecture: Any, texts: Iterable[str], language: Path | None = None) -> "VisionLanguageModel":
        """A new model of the given sizes, initialised by torch's random generator, with a tokenizer trained on `texts`.

        architecture: an instance of `architecture_class`. language: file or folder of a pretrained language model
        (manu.models.language). It replaces the new text side and its tokenizer; `text_sizes` are then ignored.
        """

    @classmethod
    def check(cls, folder: Path) -> None:
        """Raise UserError unless `folder` holds a complete checkpoint of this architecture."""
        check_checkpoint(cls.model_class, folder)

    @classmethod
    def check_settings(cls, folder: Path) -> None:
        """Raise UserError unless the config.json of `folder` is that of this architecture."""
        check_settings(cls.model_class, folder)

    @classmethod
    def load(
        cls, folder: Path, loading: Loading | None = None, processor_folder: Path | None = None
    ) -> "VisionLanguageModel":
        """Load a `save_pretrained` folder (safetensors only, no remote code).

        loading: precision and device; default `Loading()`; processor_folder: where the processor lies, if not there as
        well. Raises UserError when the checkpoint is incomplete, or when
        its tokenizer and config.json disagree about the image token.
        """
        cls.check(folder)
        processor = cls.load_processor(processor_folder or folder)
        model = load_pretrained(cls.model_class, folder, loading or Loading())
        known = processor.tokenizer.get_vocab().get(cls.picture_word)
        if known != model.config.image_token_id:
            actual = "missing from the tokenizer" if known is None else f"token {known} of the tokenizer"
            raise UserError(
                f"checkpoint {folder}: {cls.picture_word} is {actual}; "
                f"needed by config.json: token {model.config.image_token_id}"
            )
        return cls(model, processor)

    @classmethod
    def load_processor(cls, folder: Path) -> "ProcessorMixin":
        """Load only the processor of a checkpoint. Raises UserError when it cannot be loaded."""
        try:
            return cls.processor_class.from_pretrained(folder, local_files_only=True, **cls.processor_settings)
        except (OSError, ValueError, KeyError, TypeError) as error:
            first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            needed = "the files of tokenizer and image processor, as save_pretrained writes them"
            raise UserError(
                f"checkpoint {folder}: its processor cannot be loaded ({first_line}); needed: {needed}"
            ) from error

    def save(self, folder: Path) -> None:
        """Write model and processor as one `save_pretrained` folder, atomically."""
        with atomic_path(folder) as temporary:
            self.model.save_pretrained(temporary, max_shard_size="1TB")  # one file: the workflow knows its name
            self.processor.save_pretrained(temporary)

    @staticmethod
    @abstractmethod
    def layout(question: str, with_image: bool, system: str | None) -> str:
        """The prompt of one question, up to where the answer begins, with `picture_word` in place of the picture.

        system: text of a system prompt, or None.
        """

    @abstractmethod
    def expand_images(self, prompt: str) -> str:
        """Replace `picture_word` by the image tokens that the processor puts in its place."""

    def prompt_ids(self, question: str, with_image: bool, system: str | None = None) -> list[int]:
        """Token ids of a prompt, with the begin-of-sequence token first if the architecture has one.

        Raises UserError on a question with the token that stands for a picture.
        """
        if self.picture_word in f"{question} {system or ''}":
            said = f"the question {question[:60]!r} holds {self.picture_word}, which stands for a picture"
            raise UserError(f"{said}; needed: a question without it")
        text = self.expand_images(self.layout(question, with_image, system))
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids if self.begin_token is None else [self.begin_token, *ids]

    def answer_ids(self, answer: str) -> list[int]:
        """Token ids of an answer, with the end token last."""
        return [*self.continued_ids(f" {answer}"), self.end_token]

    def continued_ids(self, text: str) -> list[int]:
        """Token ids of `text` as the continuation of another text.

        A sentencepiece tokenizer puts a space before the first word of a text, but not inside a text. So `text` is
        tokenized after a colon. Raises ValueError when the tokenizer joins the colon and the first token of `text`.
        """
        before, both = (self.tokenizer(string, add_special_tokens=False)["input_ids"] for string in (":", f":{text}"))
        if both[: len(before)] != before:
            raise ValueError(f"the tokenizer joins {text[:20]!r} with the colon before it")
        return both[len(before) :]

    @property
    def begin_token(self) -> int | None:
        """Id of the token that begins a prompt, or None if prompts have none."""
        return self.tokenizer.bos_token_id

    @property
    def text_start(self) -> int:
        """Id of the token before a text that has no prompt layout.

        It is the begin-of-sequence token, or else the padding token, which separates texts in pretraining.
        """
        return self.tokenizer.pad_token_id if self.begin_token is None else self.begin_token

    @property
    def end_token(self) -> int:
        """Id of the token that ends an answer."""
        return self.tokenizer.eos_token_id

    def positions(self, prompts: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Position ids of padded prompts, [prompts, tokens].

        Positions count from 0 and skip padding. The values at padding tokens are arbitrary.
        """
        return (prompts["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)

    def positions_after(self, prompts: Mapping[str, torch.Tensor], places: torch.Tensor) -> torch.Tensor:
        """Position ids, [rows, tokens], of tokens that follow the prompts.

        places: [rows, tokens], index of each token in its text, from 0 without padding. Every prompt has the same
        number of rows; the rows of one prompt are consecutive.
        """
        return places

    def pixels(self, images: list[Image.Image]) -> dict[str, torch.Tensor]:
        """Model inputs from the image processor, with one row per picture. images: RGB."""
        return dict(self.processor.image_processor(images, return_tensors="pt"))

    @property
    def picture_side(self) -> int:
        """Height and width, in pixels, of the vision encoder's input."""
        return square_side(self.model.config.vision_config.image_size)

    @property
    def picture_numbers(self) -> int:
        """Number of values of one picture in the model's input: three colours per pixel."""
        return 3 * self.picture_side**2

    def vision_mask(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """Which vision tokens show the picture and not padding: bool [pictures, vision tokens]; None means all."""
        return None

    @property
    @abstractmethod
    def language_model(self) -> nn.Module:
        """The decoder with its embeddings, without the output head. Every one of its `layers` has an `mlp`."""

    @property
    def language_mlps(self) -> list[nn.Module]:
        """The language model's MLPs in the order of the layers, with gate_proj, up_proj and down_proj."""
        layers: Any = self.language_model.layers
        return [layer.mlp for layer in layers]

    @property
    def language_linears(self) -> list[str]:
        """Names of the language model's linear layers, as in the whole model. The output head is not included."""
        inside = {module for module in self.language_model.modules() if isinstance(module, nn.Linear)}
        return [name for name, module in self.model.named_modules() if module in inside]

    @property
    def outside_language(self) -> list[str]:
        """Names of the parameters of the vision encoder and the connector."""
        parts = self.language_model, self.model.get_output_embeddings()
        inside = {id(parameter) for part in parts for parameter in part.parameters()}
        return [name for name, parameter in self.model.named_parameters() if id(parameter) not in inside]

    @property
    @abstractmethod
    def vision_mlps(self) -> list[nn.Module]:
        """The vision encoder's MLPs in the order of the layers.

        An MLP has either fc1 and fc2, or gate_proj, up_proj and down_proj. Its input is [pictures, tokens, width].
        """

    @property
    def live_vision_layers(self) -> int:
        """How many of the vision encoder's layers, from the first on, reach the language model."""
        return len(self.vision_mlps)

    def mlp_sites(self) -> list[MlpSite]:
        """The MLPs of the language model and of the vision encoder."""
        parts = {"language": self.language_mlps, "vision": self.vision_mlps}
        live = {"language": len(self.language_mlps), "vision": self.live_vision_layers}
        return [
            MlpSite(f"{part}.{i}", part, i, *_layers(mlp), live=i < live[part])
            for part, mlps in parts.items()
            for i, mlp in enumerate(mlps)
        ]

    def linear_sites(self) -> list[LinearSite]:
        """The linear layers whose rows the released code prunes."""
        language = [
            LinearSite(f"language.{kind}.{i}", "language", kind, i, getattr(mlp, f"{kind}_proj"))
            for i, mlp in enumerate(self.language_mlps)
            for kind in ("gate", "up", "down")
        ]
        return language + [
            LinearSite(
                f"vision.{kind}.{i}", "vision", kind, i, getattr(mlp, kind if _is_plain(mlp) else f"{kind}_proj")
            )
            for i, mlp in enumerate(self.vision_mlps)
            for kind in self.released_vision_kinds
        ]


def _is_plain(mlp: nn.Module) -> bool:
    """Whether an MLP has the layers fc1 and fc2, without a gate."""
    return hasattr(mlp, "fc1")


def _layers(mlp: Any) -> tuple[tuple[nn.Linear, ...], nn.Linear]:
    """The layers that produce an MLP's activations, and the layer that takes them as input."""
    return ((mlp.fc1,), mlp.fc2) if _is_plain(mlp) else ((mlp.gate_proj, mlp.up_proj), mlp.down_proj)


def text_sizes(cls: type) -> list[str]:
    """The fields of an architecture dataclass that are sizes of its text side."""
    return [f.name for f in fields(cls) if f.name.startswith("text_") or f.name == "positions"]


def read_architecture(cls: type, given: dict[str, Any], where: str) -> Any:
    """An architecture dataclass from a study's mapping.

    where: the mapping's key in the study, for messages. Raises UserError on an unknown or missing key, and on a value
    that is not a positive whole number, or that cannot be built with the others.
    """
    known = [f.name for f in fields(cls)]
    for key, value in given.items():
        if key not in known:
            raise UserError(f"{where}: unknown key {key!r}; known: {', '.join(known)}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(f"{where}.{key}: {value!r} is not a positive whole number")
    missing = [f.name for f in fields(cls) if f.default is MISSING and f.name not in given]
    if missing:
        raise UserError(f"{where}: key {missing[0]!r} is missing")
    sizes = cls(**given)
    if mistake := size_mistake(sizes):
        raise UserError(f"{where}: {mistake}")
    return sizes
