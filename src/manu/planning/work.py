"""Formulas: floating-point operations of a model, and how often its layers are called. docs/plan.md writes them out.

A matrix of P parameters takes 2 P operations for a token. So n tokens through the decoder take

    F(n, c) = n (2 decoder + 4 layers width c)        c: tokens that each attends to

a picture   2 vision patches + 4 vision_layers vision_width patches^2 + 2 connector picture_tokens
and logits  2 head   for each token that is predicted.
"""

from dataclasses import astuple, dataclass

from manu.planning.model_sizes import ModelSizes


@dataclass(frozen=True)
class Work:
    """flop: floating-point operations; layers: calls of a layer, forward or backward; traffic: bytes that replies read
    from memory and write there; moved: bytes of checkpoints that are read, hashed or written."""

    flop: float = 0.0
    layers: float = 0.0
    traffic: float = 0.0
    moved: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, times: float) -> "Work":
        return Work(*(each * times for each in astuple(self)))


def tokens_flop(a: ModelSizes, tokens: float, context: float) -> float:
    """F(n, c): `tokens` through the decoder, each attending to `context` tokens."""
    return tokens * (2 * a.decoder + 4 * a.layers * a.width * context)


def picture_flop(a: ModelSizes) -> float:
    """One picture through vision encoder and connector."""
    attention = 4 * a.vision_layers * a.vision_width * a.patches**2
    return 2 * a.vision * a.patches + attention + 2 * a.connector * a.picture_tokens


def logits_flop(a: ModelSizes, tokens: float) -> float:
    """The head at `tokens` places."""
    return 2 * a.head * tokens


def forward(a: ModelSizes, samples: float, length: float, predicted: float, with_picture: bool) -> Work:
    """One forward pass: `samples` of `length` tokens, padding included, logits at `predicted` places of each."""
    flop = samples * (tokens_flop(a, length, length) + logits_flop(a, predicted))
    flop += samples * picture_flop(a) if with_picture else 0
    return Work(flop, a.layers + (a.vision_layers if with_picture else 0))


@dataclass(frozen=True)
class Learning:
    """How weights learn. rank: of adapters that learn in place of the weights, 0: all weights learn; in_base: adapters
    of the language model alone, vision and connector learn in full; checkpointing: activations are computed again."""

    rank: int = 0
    in_base: bool = False
    checkpointing: bool = False

    def learned(self, a: ModelSizes) -> tuple[int, int]:
        """Numbers that learn: (weights of the model, of adapters)."""
        if not self.rank:
            return a.parameters, 0
        if self.in_base:
            return a.vision + a.connector, self.rank * a.adapted_in_base
        return 0, self.rank * a.adapted


def step(a: ModelSizes, learning: Learning, one: Work, tokens: float) -> Work:
    """One training step, from the work of its forward pass.

    A backward pass takes 2 F, for the gradients of states and of weights: 3 F in all (6 P a token). Frozen weights have
    none of their own: 2 F (4 P), and 6 operations a token for each number of an adapter. Checkpointing adds 1 F.
    """
    passes = 2 if learning.rank else 3
    flop = one.flop * (passes + learning.checkpointing) + 6 * tokens * learning.learned(a)[1]
    return Work(flop, one.layers * (3 + learning.checkpointing))


def cache_bytes(a: ModelSizes, tokens: float, size: int) -> float:
    """Keys and values of all layers: tokens 2 key_values layers size."""
    return tokens * 2 * a.key_values * a.layers * size


def reply(
    a: ModelSizes,
    count: float,
    batch: int,
    prompt: float,
    new: int,
    option: float,
    size: int,
    with_picture: bool,
    options: float = 4,
) -> Work:
    """`count` greedy replies, each as long as allowed (`new` tokens), and the likelihoods of `options` texts, if any.

    The prompt is read once, then every new token attends to the keys and values that are kept; the options, of `option`
    tokens each, to all of it. Batches of equal questions are hardly padded. For each new token the decoder's weights
    and the head are read once a batch, and the keys and values three times: read and written as they grow, and read by
    the attention. For the options the keys and values are `options` times as many, and written once more. size: of a
    number.
    """
    batches = -(-count // batch)
    written = (new - 1) * (tokens_flop(a, 1, prompt + new / 2) + logits_flop(a, 1))
    judged = options * (tokens_flop(a, option, prompt + new) + logits_flop(a, option))
    read = forward(a, count, prompt, 1, with_picture)
    layers = batches * (read.layers + a.layers * (new - 1 + bool(option)))
    weights = batches * (new - 1) * (a.decoder + a.head) * size
    kept = 3 * (new - 1) * cache_bytes(a, prompt + new / 2, size)
    compared = 4 * options * cache_bytes(a, prompt + new, size) if option else 0.0
    return Work(read.flop + count * (written + judged), layers, weights + count * (kept + compared))
