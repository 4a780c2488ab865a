"""Reference replication of MANU: modality-aware neuron pruning for unlearning in multimodal models."""

import importlib.util
import os

from manu.core.arithmetic import set_environment

__version__ = "0.1.0"

set_environment()

# A notebook exports its drawing backend to all that it starts. Where the backend's module is not installed, matplotlib
# could not even be imported.
_backend = os.environ.get("MPLBACKEND", "").removeprefix("module://")
if _backend and _backend != os.environ["MPLBACKEND"] and importlib.util.find_spec(_backend.partition(".")[0]) is None:
    del os.environ["MPLBACKEND"]
