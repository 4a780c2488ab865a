"""Formulas: the most memory that a job holds where its model lies, in bytes. docs/plan.md writes them out."""

from manu.neurons.selection import MLP_INPUT
from manu.neurons.statistics.registry import statistics_class
from manu.planning.model_sizes import ModelSizes
from manu.planning.work import Learning, cache_bytes

# States that a layer keeps for its backward pass, of each token: inputs of the norms, of queries, keys and values, of
# the attention's output and of the MLP come to about ten widths; gate, up, activation and product to four MLP widths.
KEPT_WIDTHS, KEPT_MLPS = 10, 4
ADAM = 3  # numbers beside each weight that learns: gradient and two moments


def states(a: ModelSizes, tokens: float, size: int, with_picture: bool, samples: float, checkpointing: bool) -> float:
    """Activations kept for a backward pass: tokens layers (10 width + 4 mlp) size, likewise of patches in the vision
    encoder; with checkpointing one layer of each, and a width for every other layer."""
    language = _kept(a.layers, a.width, a.mlp, checkpointing) * tokens
    vision = _kept(a.vision_layers, a.vision_width, a.vision_mlp, checkpointing) * a.patches * samples
    return size * (language + (vision if with_picture else 0))


def _kept(layers: int, width: int, mlp: int, checkpointing: bool) -> float:
    each = KEPT_WIDTHS * width + KEPT_MLPS * mlp
    return each + layers * width if checkpointing else layers * each


def learning_bytes(a: ModelSizes, learning: Learning, size: int) -> float:
    """Gradients and AdamW's moments: 3 numbers beside each weight that learns, of its size; an adapter's own number and
    these three in float32."""
    weights, adapters = learning.learned(a)
    return ADAM * size * weights + (1 + ADAM) * 4 * adapters


def logits_bytes(a: ModelSizes, places: float, size: int) -> float:
    """Logits, their float32 copy, its log-softmax and the gradient."""
    return places * a.vocabulary * (size + 3 * 4)


def reply_bytes(
    a: ModelSizes,
    batch: float,
    prompt: float,
    new: int,
    option: float,
    size: int,
    with_picture: bool,
    options: float = 4,
) -> float:
    """Asking beside the weights: the larger of the prompt's pass (one layer at a time) and of the end, when keys and
    values of every token are kept, and once more for each text whose likelihood is taken, with float64 likelihoods."""
    one = batch * prompt * (KEPT_WIDTHS * a.width + KEPT_MLPS * a.mlp) * size
    one = max(one, picture_states(a, batch, size) if with_picture else 0)
    kept = cache_bytes(a, batch * (prompt + new), size)
    likelihoods = options * batch * option * a.vocabulary * (size + 2 * 8)
    return max(kept + one, ((1 + options) * kept if option else kept) + likelihoods)


def picture_states(a: ModelSizes, pictures: float, size: int) -> float:
    """One layer of the vision encoder, which is all that a pass without gradients holds."""
    return pictures * a.patches * (KEPT_WIDTHS * a.vision_width + KEPT_MLPS * a.vision_mlp) * size


def statistics_bytes(a: ModelSizes, kind: str, settings: dict) -> float:
    """Statistics of a kind, in memory and in the file alike: the bytes that the kind has for each unit."""
    cls = statistics_class(kind)
    rows = a.released_rows if cls.pools_layers else a.linear_rows
    return cls.bytes_per_unit(**cls.own_arguments(settings)) * (a.neurons if cls.unit == MLP_INPUT else rows)
