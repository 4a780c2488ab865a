"""Activations and their gradients as they pass by: hooks that exist for the length of a `with` block only."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from manu.neurons.sites import LinearSite, MlpSite, Site


@contextmanager
def record_activations(sites: Iterable[Site], callback: Callable[[Site, Tensor], object]) -> Iterator[None]:
    """Within the block, call `callback(site, activation)` at every forward pass through a site.

    The activation is detached, shape [batch, tokens, width]: for an MlpSite the input of its
    second layer, for a LinearSite the output of its layer. The forward pass itself is not
    changed. All hooks are gone after the block, also when it raises.
    """
    with ExitStack() as hooks:
        for site in sites:
            hooks.callback(_attach(site, lambda site, z: callback(site, z.detach())).remove)
        yield


@contextmanager
def record_gradients(sites: Iterable[Site], callback: Callable[[Site, Tensor, Tensor], object]) -> Iterator[None]:
    """Within the block, call `callback(site, activation, gradient)` when a backward pass reaches a site.

    Both are detached, shape [batch, tokens, width]: the activation of the forward pass as in `record_activations`, and
    the derivative of the differentiated value with respect to it. Neither pass is changed. All hooks are gone after the
    block, also when it raises; a graph that outlives the block calls back no more.
    """
    listening = True

    def before(site: Site, z: Tensor) -> None:
        if z.requires_grad:
            z.register_hook(lambda gradient: callback(site, z.detach(), gradient.detach()) if listening else None)

    with ExitStack() as hooks:
        for site in sites:
            hooks.callback(_attach(site, before).remove)
        try:
            yield
        finally:
            listening = False


def _attach(site: Site, callback: Callable[[Site, Tensor], object]) -> RemovableHandle:
    """Call `callback(site, activation)` at every forward pass; its value is dropped, as it would change the pass."""

    def before(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        callback(site, inputs[0])

    def after(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        callback(site, output)

    match site:
        case MlpSite():
            return site.second.register_forward_pre_hook(before)
        case LinearSite():
            return site.linear.register_forward_hook(after)
    raise TypeError(f"not a site: {site!r}")
