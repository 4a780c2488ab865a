"""Activations and their gradients as they pass by: hooks that exist for the length of a `with` block only."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from manu.neurons.sites import LinearSite, MlpSite

Site = MlpSite | LinearSite
Callback = Callable[[Site, Tensor], None]


@contextmanager
def record_activations(sites: Iterable[Site], callback: Callback) -> Iterator[None]:
    """Within the block, call `callback(site, activation)` at every forward pass through a site.

    The activation is detached, shape [batch, tokens, width]: for an MlpSite the input of its
    second layer, for a LinearSite the output of its layer. The forward pass itself is not
    changed. All hooks are gone after the block, also when it raises.
    """
    with ExitStack() as hooks:
        for site in sites:
            hooks.callback(_attach(site, callback).remove)
        yield


@contextmanager
def record_gradients(sites: Iterable[MlpSite], callback: Callable[[Site, Tensor, Tensor], None]) -> Iterator[None]:
    """Within the block, call `callback(site, activation, gradient)` when a backward pass reaches a site.

    Both are detached, shape [batch, tokens, width]: the input of the site's second layer in the forward pass, and the
    derivative of what is differentiated by it. Neither pass is changed. All hooks are gone after the block, also when
    it raises; a graph that outlives the block calls back no more.
    """
    listening = True

    def before(site: MlpSite, z: Tensor) -> None:
        if z.requires_grad:
            z.register_hook(lambda gradient: callback(site, z.detach(), gradient.detach()) if listening else None)

    with ExitStack() as hooks:
        for site in sites:
            # bound here, as a loop's variable would be the last site by the time of the call
            hook = site.second.register_forward_pre_hook(lambda _, inputs, site=site: before(site, inputs[0]))
            hooks.callback(hook.remove)
        try:
            yield
        finally:
            listening = False


def _attach(site: Site, callback: Callback) -> RemovableHandle:
    # A hook that returns something changes the forward pass, so the callback's value is dropped.
    def before(_, inputs: tuple) -> None:
        callback(site, inputs[0].detach())

    def after(_, inputs: tuple, output: Tensor) -> None:
        callback(site, output.detach())

    match site:
        case MlpSite():
            return site.second.register_forward_pre_hook(before)
        case LinearSite():
            return site.linear.register_forward_hook(after)
    raise TypeError(f"not a site: {site!r}")
