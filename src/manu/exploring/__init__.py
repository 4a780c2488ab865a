"""Helpers for the notebooks.

The warning of tqdm about missing ipywidgets is turned off: the notebooks draw no progress bars.
"""

import warnings

warnings.filterwarnings("ignore", message="IProgress not found")
