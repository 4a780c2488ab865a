"""Progress bars on a terminal."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Iterable[Item], what: str, total: int | None = None) -> Iterable[Item]:
    """The same items under a progress bar; no bar is drawn where the output is not a terminal."""
    return tqdm(items, desc=what, total=total, disable=None, leave=False, mininterval=0.5, dynamic_ncols=True)
