"""Masks: one bool vector per site, stored and applied to the weights."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from manu.core.errors import UserError
from manu.neurons.selection import LINEAR_OUTPUT, MLP_INPUT
from manu.neurons.sites import LinearSite, MlpSite
from manu.neurons.tensor_file import load_tensors, save_tensors

CONTENT = "pruning mask"
AnySite = TypeVar("AnySite", MlpSite, LinearSite)


@dataclass(frozen=True)
class Mask:
    """bool masks by site name, true = pruned; unit: what an entry stands for; factor: multiplies the outputs of the
    pruned units (0 removes them); stability: what the masks of two halves of the samples have in common, from 0 to 1,
    if that is known (manu.unlearning.pruning)."""

    masks: Mapping[str, Tensor]
    unit: str
    factor: float = 0.0
    stability: float | None = None


def save_mask(path: str | os.PathLike, mask: Mask) -> None:
    """Write a mask: its tensors by site name; unit, factor and stability in the metadata."""
    tensors = {site: units.to(torch.bool) for site, units in mask.masks.items()}
    metadata = {"content": CONTENT, "unit": mask.unit, "factor": mask.factor, "sites": list(tensors)}
    metadata |= {} if mask.stability is None else {"stability": mask.stability}
    save_tensors(path, tensors, metadata)


def load_mask(path: str | os.PathLike) -> Mask:
    """Return the mask, its sites in the order in which they were saved. Raises UserError."""
    tensors, metadata = load_tensors(path, CONTENT)
    unit, factor, sites = metadata.get("unit"), metadata.get("factor"), metadata.get("sites", [])
    if unit not in (MLP_INPUT, LINEAR_OUTPUT):
        raise UserError(f"{path}: unknown unit {unit!r}; known: {LINEAR_OUTPUT}, {MLP_INPUT}")
    if not isinstance(factor, float) or not 0 <= factor < 1:
        raise UserError(f"{path}: its factor is {factor!r}; needed: from 0 to less than 1")
    if sorted(sites) != sorted(tensors):
        raise UserError(f"{path}: the sites in its metadata are not the tensors that it holds")
    return Mask({site: tensors[site] for site in sites}, unit, factor, metadata.get("stability"))


@torch.no_grad()
def apply_mask(mask: Mask, mlp_sites: Iterable[MlpSite], linear_sites: Iterable[LinearSite]) -> None:
    """Multiply the outputs of the masked units by the mask's factor, by an edit of the weights in place.

    For a neuron of an MLP the edit is its column in the second layer; with factor 0 also its rows (and bias entries)
    in the first layers, which equals removing the unit. For a row of a linear layer, as in the released code, it is the
    row and its bias entry. Raises UserError on a site or a width that does not fit, before any weight is changed.
    """
    if mask.unit == LINEAR_OUTPUT:
        for site, rows in _matched(linear_sites, mask.masks):
            _scale_rows(site.linear, rows, mask.factor)
        return
    for mlp, neurons in _matched(mlp_sites, mask.masks):
        if mask.factor == 0:
            for linear in mlp.first:
                _scale_rows(linear, neurons, 0.0)
        weight = mlp.second.weight
        _scale(weight, (slice(None), neurons.to(weight.device)), mask.factor)


def free_weights(
    model: nn.Module, mask: Mask, mlp_sites: Iterable[MlpSite], linear_sites: Iterable[LinearSite]
) -> dict[str, Tensor]:
    """The weights that `apply_mask` does not touch, by name of the parameter: bool, in its shape, true = untouched.

    Training that changes these alone keeps the pruned units pruned. Raises UserError on a site or a width that does not
    fit.
    """
    free: dict[Tensor, Tensor] = {weight: torch.ones_like(weight, dtype=torch.bool) for weight in model.parameters()}

    def hold_rows(linear: nn.Linear, rows: Tensor) -> None:
        for parameter in (linear.weight, linear.bias):
            if parameter is not None:
                free[parameter][rows] = False

    if mask.unit == LINEAR_OUTPUT:
        for site, rows in _matched(linear_sites, mask.masks):
            hold_rows(site.linear, rows)
    else:
        for mlp, neurons in _matched(mlp_sites, mask.masks):
            for linear in mlp.first if mask.factor == 0 else ():
                hold_rows(linear, neurons)
            free[mlp.second.weight][:, neurons] = False
    return {name: free[parameter] for name, parameter in model.named_parameters()}


def _matched(sites: Iterable[AnySite], masks: Mapping[str, Tensor]) -> list[tuple[AnySite, Tensor]]:
    by_name = {site.name: site for site in sites}
    for name, mask in masks.items():
        if name not in by_name:
            raise UserError(f"mask: unknown site {name!r}; known: {', '.join(by_name)}")
        if mask.shape != (by_name[name].width,):
            raise UserError(f"mask: {name} has shape {tuple(mask.shape)}; needed: ({by_name[name].width},)")
    return [(by_name[name], mask) for name, mask in masks.items()]


def _scale_rows(linear: torch.nn.Linear, rows: Tensor, factor: float) -> None:
    rows = rows.to(linear.weight.device)
    _scale(linear.weight, rows, factor)
    if linear.bias is not None:
        _scale(linear.bias, rows, factor)


def _scale(weight: Tensor, where: Tensor | tuple, factor: float) -> None:
    weight[where] = weight[where] * factor if factor else 0.0  # zero, even where a weight is no number
