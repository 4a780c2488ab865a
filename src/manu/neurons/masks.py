"""Masks: one bool vector per site, stored, applied to the weights and listed neuron by neuron."""

import os
from collections.abc import Iterable, Mapping
from typing import TypeVar

import pandas as pd
import torch
from torch import Tensor

from manu.errors import UserError
from manu.neurons.selection import LINEAR_OUTPUT, MLP_INPUT, Selection, layer_of, part_of
from manu.neurons.sites import LinearSite, MlpSite
from manu.neurons.tensor_file import load_tensors, save_tensors

CONTENT = "pruning mask"
IMPORTANCE_COLUMNS = tuple(
    f"i_{name}_{data_set}" for data_set in ("forget", "retain") for name in ("abs", "freq", "var", "rms")
)
AnySite = TypeVar("AnySite", MlpSite, LinearSite)


def save_mask(path: str | os.PathLike, masks: Mapping[str, Tensor], unit: str) -> None:
    """Write bool masks by site name, and in the metadata the `unit` that an entry stands for."""
    tensors = {site: mask.to(torch.bool) for site, mask in masks.items()}
    save_tensors(path, tensors, {"content": CONTENT, "unit": unit, "sites": list(tensors)})


def load_mask(path: str | os.PathLike) -> tuple[dict[str, Tensor], str]:
    """Return the masks, in the order in which they were saved, and their unit. Raises UserError."""
    tensors, metadata = load_tensors(path, CONTENT)
    unit, sites = metadata.get("unit"), metadata.get("sites", [])
    if unit not in (MLP_INPUT, LINEAR_OUTPUT):
        raise UserError(f"{path}: unknown unit {unit!r}; known: {LINEAR_OUTPUT}, {MLP_INPUT}")
    if sorted(sites) != sorted(tensors):
        raise UserError(f"{path}: the sites in its metadata are not the tensors that it holds")
    return {site: tensors[site] for site in sites}, unit


@torch.no_grad()
def apply_mask(sites: Iterable[MlpSite], masks: Mapping[str, Tensor]) -> None:
    """Zero, in place, everything that touches a pruned neuron of the MLPs named in `masks`.

    That is its rows (and bias entries) in the first layers and its column in the second one,
    which is exactly what removing the unit does. Raises UserError on a site or a width that
    does not fit, before any weight is changed.
    """
    for site, mask in _matched(sites, masks):
        for linear in site.first:
            _zero_rows(linear, mask)
        site.second.weight[:, mask.to(site.second.weight.device)] = 0


@torch.no_grad()
def apply_rows(sites: Iterable[LinearSite], masks: Mapping[str, Tensor]) -> None:
    """Zero, in place, the pruned rows (and bias entries) of the linear layers named in `masks`.

    The edit of the released code. Raises UserError as `apply_mask` does.
    """
    for site, mask in _matched(sites, masks):
        _zero_rows(site.linear, mask)


def apply_mask_file(
    path: str | os.PathLike, mlp_sites: Iterable[MlpSite], linear_sites: Iterable[LinearSite]
) -> dict[str, Tensor]:
    """Apply the mask at `path` to the sites of its unit, and return it."""
    masks, unit = load_mask(path)
    if unit == MLP_INPUT:
        apply_mask(mlp_sites, masks)
    else:
        apply_rows(linear_sites, masks)
    return masks


def neurons_table(selection: Selection) -> pd.DataFrame:
    """One row per pruned unit, best rank first.

    Columns: site, part, layer, index (within the site), the four importances on the forget
    and on the retain set, score, rank (1 = highest score among the units ranked together).
    """
    rows = []
    for site, mask in selection.masks.items():
        for index in mask.nonzero().flatten().tolist():
            rows.append(
                {"site": site, "part": part_of(site), "layer": layer_of(site), "index": index}
                | {column: float(selection.importances[column][site][index]) for column in IMPORTANCE_COLUMNS}
                | {"score": float(selection.scores[site][index]), "rank": int(selection.ranks[site][index])}
            )
    columns = ["site", "part", "layer", "index", *IMPORTANCE_COLUMNS, "score", "rank"]
    return pd.DataFrame(rows, columns=columns).sort_values("rank", kind="stable", ignore_index=True)


def _matched(sites: Iterable[AnySite], masks: Mapping[str, Tensor]) -> list[tuple[AnySite, Tensor]]:
    by_name = {site.name: site for site in sites}
    for name, mask in masks.items():
        if name not in by_name:
            raise UserError(f"mask: unknown site {name!r}; known: {', '.join(by_name)}")
        if mask.shape != (by_name[name].width,):
            raise UserError(f"mask: {name} has shape {tuple(mask.shape)}; needed: ({by_name[name].width},)")
    return [(by_name[name], mask) for name, mask in masks.items()]


def _zero_rows(linear: torch.nn.Linear, mask: Tensor) -> None:
    mask = mask.to(linear.weight.device)
    linear.weight[mask] = 0
    if linear.bias is not None:
        linear.bias[mask] = 0
