"""Tensors and their metadata in one safetensors file; the same content gives the same bytes."""

import json
import os
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from manu.core.errors import UserError
from manu.core.files import atomic_path

# A single entry: safetensors writes several metadata entries in an order that differs between processes, so the same
# statistics would have another checksum on every run.
_ENTRY = "manu"


def save_tensors(path: str | os.PathLike, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write `tensors` and the JSON-able `metadata` atomically to `path`."""
    stored = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(stored, temporary, metadata={_ENTRY: json.dumps(metadata, sort_keys=True)})


def load_tensors(path: str | os.PathLike, content: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the metadata of `path`, whose metadata must hold `"content": content`.

    Raises UserError when the file is absent, unreadable or holds something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(_ENTRY, "{}"))
            if metadata.get("content") != content:
                found = metadata.get("content", "no content of this package")
                raise UserError(f"{path}: holds {found}; needed: {content}")
            keys = file.keys()
            return {key: file.get_tensor(key) for key in keys}, metadata
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a safetensors file of {content} ({error})") from error


def check_keys(path: str | os.PathLike, tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise UserError unless `tensors` has exactly the keys of `shapes`, each in its shape."""
    missing, surplus = sorted(shapes.keys() - tensors.keys()), sorted(tensors.keys() - shapes.keys())
    if missing:
        raise UserError(f"{path}: misses {len(missing)} of {len(shapes)} tensors, first {missing[0]!r}")
    if surplus:
        raise UserError(f"{path}: has {len(surplus)} unexpected tensors, first {surplus[0]!r}")
    for key, shape in shapes.items():
        if tuple(tensors[key].shape) != shape:
            raise UserError(f"{path}: {key!r} has shape {tuple(tensors[key].shape)}; needed: {shape}")
