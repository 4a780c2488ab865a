"""Training of some weights only: weights outside the masks keep their bytes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def restricted(model: nn.Module, masks: Mapping[str, Tensor] | None) -> Iterator[None]:
    """Inside the block only the weights under `masks` get gradients; None restricts nothing.

    masks: parameter name -> bool [shape of the parameter]. A masked weight's gradient is zero, so that Adam's moments
    and steps are too; parameters without a mask require none. Raises ValueError on names that the model does not train.
    """
    if masks is None:
        yield
        return
    learning = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if unknown := masks.keys() - learning.keys():
        raise ValueError(f"masks of {sorted(unknown)}, which are no trained parameters of the model")
    frozen = [parameter for name, parameter in learning.items() if name not in masks]
    hooks = [learning[name].register_hook(mask.mul) for name, mask in masks.items()]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
        for hook in hooks:
            hook.remove()
