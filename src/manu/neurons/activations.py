"""Activations as they pass by: hooks that exist for the length of a `with` block only."""

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
