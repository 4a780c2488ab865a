"""A place for the caches of other libraries where the home folder cannot be written."""

import os
from pathlib import Path


def ensure_cache() -> None:
    """Point caches to `.cache` in the working folder if theirs cannot be written; Snakemake and matplotlib need one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        writable = False
    else:
        writable = os.access(cache, os.W_OK)
    if not writable:
        here = Path(".cache").absolute()
        os.environ |= {"XDG_CACHE_HOME": str(here), "MPLCONFIGDIR": str(here / "matplotlib")}
