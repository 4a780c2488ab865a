"""What the notebooks look with. tqdm, which transformers imports, warns in a notebook without ipywidgets; no bar is drawn."""

import warnings

warnings.filterwarnings("ignore", message="IProgress not found")
