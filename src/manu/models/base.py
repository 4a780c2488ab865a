"""What every architecture must offer. An adapter is the only place that knows one."""

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
from manu.models.lazy_imports import OfTransformers
from manu.models.loading import Loading, check_checkpoint, load_pretrained
from manu.neurons.sites import LinearSite, MlpSite

if TYPE_CHECKING:  # late.py says why
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin


class VisionLanguageModel(ABC):
    """A vision-language model with its processor.

    Subclasses say which transformers classes to use, how a prompt is laid out, and where the MLPs are.
    """

    name: ClassVar[str]
    model_class: ClassVar["type[PreTrainedModel] | OfTransformers"]
    processor_class: ClassVar["type[ProcessorMixin] | OfTransformers"]
    architecture_class: ClassVar[type]  # frozen dataclass of sizes, for models trained here
    released_vision_kinds: ClassVar[tuple[str, ...]]  # vision layers whose rows the released code prunes
    processor_settings: ClassVar[dict[str, Any]] = {}  # where the checkpoint's own are not what is needed here
    picture_word: ClassVar[str] = "<image>"  # stands for a picture in a prompt, as the processor reads it
    per_patch: ClassVar[tuple[str, ...]] = (".vision_",)  # in names of parameters that every patch of a picture meets
    takes_language: ClassVar[bool] = True  # whether `build` takes a pretrained language model

    def __init__(self, model: "PreTrainedModel", processor: "ProcessorMixin") -> None:
        self.model = model
        self.processor = processor

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The processor's tokenizer."""
        return self.processor.tokenizer

    @classmethod
    @abstractmethod
    def build(cls, architecture: Any, texts: Iterable[str], language: Path | None = None) -> "VisionLanguageModel":
        """A new model of the given sizes, randomly initialised from torch's generator, with a tokenizer
        trained on `texts`.

        language: the text side as pretrained instead (manu.models.language); `text_sizes` then mean nothing.
        """

    @classmethod
    def check(cls, folder: Path) -> None:
        """Raise UserError unless `folder` holds a complete checkpoint of this architecture."""
        check_checkpoint(cls.model_class, folder)

    @classmethod
    def load(cls, folder: Path, loading: Loading = Loading()) -> "VisionLanguageModel":
        """Load a `save_pretrained` folder (safetensors only, no remote code). Raises UserError as `check`."""
        cls.check(folder)
        processor = cls.load_processor(folder)
        model = load_pretrained(cls.model_class, folder, loading)
        known = processor.tokenizer.get_vocab().get(cls.picture_word)
        if known != model.config.image_token_id:
            stands = f"{cls.picture_word} is {'no token' if known is None else f'token {known}'} of the tokenizer"
            raise UserError(
                f"checkpoint {folder}: {stands}; by config.json needed: token {model.config.image_token_id}"
            )
        return cls(model, processor)

    @classmethod
    def load_processor(cls, folder: Path) -> "ProcessorMixin":
        """The processor of a checkpoint alone. Raises UserError when it cannot be loaded."""
        try:
            return cls.processor_class.from_pretrained(folder, local_files_only=True, **cls.processor_settings)
        except (OSError, ValueError, KeyError, TypeError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            needed = "the files of tokenizer and image processor, as save_pretrained writes them"
            raise UserError(
                f"checkpoint {folder}: its processor cannot be loaded ({said}); needed: {needed}"
            ) from error

    def save(self, folder: Path) -> None:
        """Write model and processor as one `save_pretrained` folder, atomically."""
        with atomic_path(folder) as temporary:
            self.model.save_pretrained(temporary, max_shard_size="1TB")  # one file: the workflow knows its name
            self.processor.save_pretrained(temporary)

    @staticmethod
    @abstractmethod
    def layout(question: str, with_image: bool, system: str | None) -> str:
        """The prompt of one question, up to where the answer begins; `picture_word` stands for the picture."""

    @abstractmethod
    def expand_images(self, prompt: str) -> str:
        """Replace `picture_word` by the tokens the processor puts in its place."""

    def prompt_ids(self, question: str, with_image: bool, system: str | None = None) -> list[int]:
        """Token ids of the prompt, begin-of-sequence first where the architecture has one."""
        text = self.expand_images(self.layout(question, with_image, system))
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids if self.begin_token is None else [self.begin_token, *ids]

    def answer_ids(self, answer: str) -> list[int]:
        """Token ids of an answer, end token last."""
        return [*self.continued_ids(f" {answer}"), self.end_token]

    def continued_ids(self, text: str) -> list[int]:
        """Token ids of `text` where other words go before it.

        Tokenizers made with sentencepiece begin every text with a space of their own, which text in the middle does
        not have. Raises ValueError when the text's first token cannot be told from what goes before.
        """
        before, both = (self.tokenizer(words, add_special_tokens=False)["input_ids"] for words in (":", f":{text}"))
        if both[: len(before)] != before:
            raise ValueError(f"the tokenizer joins {text[:20]!r} with the colon before it")
        return both[len(before) :]

    @property
    def begin_token(self) -> int | None:
        """The token that begins a prompt; None where prompts have none."""
        return self.tokenizer.bos_token_id

    @property
    def text_start(self) -> int:
        """The token before a text that is read as it stands: begin-of-sequence or, where there is none, padding, which
        stands between the texts of pretraining."""
        return self.tokenizer.pad_token_id if self.begin_token is None else self.begin_token

    @property
    def end_token(self) -> int:
        """The token that ends an answer."""
        return self.tokenizer.eos_token_id

    def positions(self, prompts: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Position ids of the tokens of padded prompts, as the model takes them: counted from 0 without padding,
        [prompts, tokens]; of padding they mean nothing."""
        return (prompts["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)

    def positions_after(self, prompts: Mapping[str, torch.Tensor], places: torch.Tensor) -> torch.Tensor:
        """Position ids, [rows, tokens], of tokens that stand at these places of a text, counted from 0 without padding,
        and after its prompt; there are equally many rows for each prompt, one after the other."""
        return places

    def pixels(self, images: list[Image.Image]) -> dict[str, torch.Tensor]:
        """Model inputs of pictures, one row each, as the real image processor makes them."""
        rgb = [image.convert("RGB") for image in images]
        return dict(self.processor.image_processor(rgb, return_tensors="pt"))

    @property
    def picture_side(self) -> int:
        """Height and width in pixels of a picture as the vision encoder sees it."""
        return self.model.config.vision_config.image_size

    @property
    def picture_numbers(self) -> int:
        """How many numbers a picture is in the model's input: three colours a pixel."""
        return 3 * self.picture_side**2

    def vision_mask(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """Which vision tokens show the picture and not its padding: bool [pictures, vision tokens]; None: all do."""
        return None

    @property
    @abstractmethod
    def language_model(self) -> nn.Module:
        """The decoder with its embeddings, without its head; each of its `layers` has an `mlp`."""

    @property
    def language_mlps(self) -> list[nn.Module]:
        """The language model's MLPs, first layer first; each has gate_proj, up_proj and down_proj."""
        return [layer.mlp for layer in self.language_model.layers]

    @property
    def language_linears(self) -> list[str]:
        """Names, in the whole model, of the language model's linear layers; the head is none of them."""
        inside = {module for module in self.language_model.modules() if isinstance(module, nn.Linear)}
        return [name for name, module in self.model.named_modules() if module in inside]

    @property
    def outside_language(self) -> list[str]:
        """Names of the parameters of vision encoder and connector: neither the language model's nor its head's."""
        parts = self.language_model, self.model.get_output_embeddings()
        inside = {id(parameter) for part in parts for parameter in part.parameters()}
        return [name for name, parameter in self.model.named_parameters() if id(parameter) not in inside]

    @property
    @abstractmethod
    def vision_mlps(self) -> list[nn.Module]:
        """The vision encoder's MLPs, first layer first; each has fc1 and fc2, or what a language model's has. They see
        [pictures, tokens, width]."""

    def mlp_sites(self) -> list[MlpSite]:
        """The MLPs of the language model and of the vision encoder."""
        parts = {"language": self.language_mlps, "vision": self.vision_mlps}
        return [
            MlpSite(f"{part}.{i}", part, i, *_layers(mlp)) for part, mlps in parts.items() for i, mlp in enumerate(mlps)
        ]

    def linear_sites(self) -> list[LinearSite]:
        """The linear layers that the released code prunes rows of."""
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
    """Whether an MLP has one first layer, fc1, and not a gate beside it."""
    return hasattr(mlp, "fc1")


def _layers(mlp: nn.Module) -> tuple[tuple[nn.Linear, ...], nn.Linear]:
    """The layers that produce an MLP's activations, and the one that consumes them."""
    return ((mlp.fc1,), mlp.fc2) if _is_plain(mlp) else ((mlp.gate_proj, mlp.up_proj), mlp.down_proj)


def text_sizes(cls: type) -> list[str]:
    """The keys of an architecture that are sizes of its text side."""
    return [f.name for f in fields(cls) if f.name.startswith("text_") or f.name == "positions"]


def read_architecture(cls: type, given: dict[str, Any], where: str) -> Any:
    """Fill an architecture dataclass from a study's mapping; every value is a positive whole number."""
    known = [f.name for f in fields(cls)]
    for key, value in given.items():
        if key not in known:
            raise UserError(f"{where}: unknown key {key!r}; known: {', '.join(known)}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(f"{where}.{key}: {value!r} is not a positive whole number")
    missing = [f.name for f in fields(cls) if f.default is MISSING and f.name not in given]
    if missing:
        raise UserError(f"{where}: key {missing[0]!r} is missing")
    return cls(**given)
