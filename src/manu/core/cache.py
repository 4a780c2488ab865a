"""A place for the caches of other libraries where the home folder cannot be written."""

import os
from pathlib import Path


def ensure_cache() -> None:
    """Point caches to `.cache` in the working folder if theirs cannot be written; Snakemake and matplotlib need one."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        cache.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        writable = False
    else:
        writable = os.access(cache, os.W_OK)
    if not writable:
        here = Path(".cache").absolute()
        os.environ |= {"XDG_CACHE_HOME": str(here), "MPLCONFIGDIR": str(here / "matplotlib")}
