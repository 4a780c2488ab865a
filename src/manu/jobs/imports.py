"""What jobs are slow to import, besides the package itself."""

from collections.abc import Iterable

from manu.models.lazy_imports import TransformersClass
from manu.models.registry import vlm_class

_ALWAYS = (
    "torch",
    "transformers",
    "numpy",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "scipy.stats",
    "safetensors.torch",
    "tokenizers",
    "rouge_score.rouge_scorer",
    "nltk.translate.bleu_score",
    "jsonschema",
    "jinja2",
    "PIL.Image",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
)


def slow_imports(models: Iterable[str]) -> list[str]:
    """Libraries, and the classes of transformers of these models, as names for pkgutil.resolve_name."""
    vlms = {parent for name in models for parent in vlm_class(name).__mro__}
    late = {value.name for vlm in vlms for value in vars(vlm).values() if isinstance(value, TransformersClass)}
    return [*_ALWAYS, *sorted(f"transformers:{name}" for name in late)]
