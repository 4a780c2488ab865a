"""Time of training the small models, by part of the work."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.sizes import Sizes
from benchmarks.subject import make_benchmark, new_model
from benchmarks.tables import Table
from manu.data.reading import read_names, read_training_data
from manu.models.base import VisionLanguageModel
from manu.models.inputs import Pictures
from manu.models.registry import known_models
from manu.training.dataset import TrainingSet
from manu.training.loop import Optimisation, fit
from manu.training.losses import answer_cross_entropy

BATCH = 32  # the studies' default
FORWARD, BACKWARD, BATCHES, PICTURES = "forward pass and loss", "backward pass", "making batches", "decoding pictures"
OPTIMISER, CLIPPING, ENCODING, REST = (
    "optimiser",
    "clipping gradients",
    "reading and encoding training data",
    "everything else",
)
SHARES = (PICTURES, BATCHES, FORWARD, BACKWARD, CLIPPING, OPTIMISER, REST)  # parts of the training itself


class Stopwatch:
    """Seconds by name. The time of a nested block counts for the nested block only."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]  # seconds of nested blocks, for every open block

    @contextmanager
    def watch(self, name: str) -> Iterator[None]:
        """Add the block's seconds to `name`."""
        start = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + took - self._inner.pop()
            self._inner[-1] += took

    def watched(self, name: str, work: Callable) -> Callable:
        """`work`, with the time of its calls added to `name`."""

        def run(*arguments: Any, **settings: Any) -> Any:
            with self.watch(name):
                return work(*arguments, **settings)

        return run

    @contextmanager
    def replaced(self, owner: object, attribute: str, name: str) -> Iterator[None]:
        """Within the block, add the time of calls of `owner.attribute` to `name`. owner: a class or module."""
        original = getattr(owner, attribute)
        setattr(owner, attribute, self.watched(name, original))
        try:
            yield
        finally:
            setattr(owner, attribute, original)


def profiled(vlm: VisionLanguageModel, training_set: TrainingSet, steps: int) -> tuple[Stopwatch, float]:
    """Train for `steps` steps. Returns the stopwatch with the seconds of the parts, and the total seconds."""
    watch = Stopwatch()
    batches = _first(training_set, steps)
    parts: tuple[tuple[object, str, str], ...] = (
        (Pictures, "_processed", PICTURES),
        (torch.Tensor, "backward", BACKWARD),
        (torch.nn.utils, "clip_grad_norm_", CLIPPING),
        (torch.optim.AdamW, "step", OPTIMISER),
    )
    with ExitStack() as watched:
        for owner, attribute, name in parts:
            watched.enter_context(watch.replaced(owner, attribute, name))
        loss = watch.watched(FORWARD, partial(answer_cross_entropy, vlm.model))
        start = time.perf_counter()
        fit(vlm.model, _watched(batches, watch), loss, Optimisation(1e-3, steps))
        return watch, time.perf_counter() - start


def _first(training_set: TrainingSet, steps: int) -> Iterator[dict]:
    """The batches of the first `steps` steps."""
    rng, made = np.random.default_rng(0), 0
    while True:
        for _, batch in training_set.epoch(BATCH, rng):
            if made == steps:
                return
            made += 1
            yield batch


def _watched(batches: Iterator[dict], watch: Stopwatch) -> Iterator[dict]:
    """The batches, with the time of making them added to BATCHES."""
    while True:
        with watch.watch(BATCHES):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def answer(sizes: Sizes, folder: Path) -> list[Table]:
    """The table `profile`."""
    benchmark = make_benchmark(folder / "benchmark", sizes.people)
    rows: list[dict[str, Any]] = []
    for model in known_models():
        vlm = new_model(benchmark, model)
        start = time.perf_counter()
        training_set = TrainingSet(vlm).add(read_training_data(benchmark), read_names(benchmark))
        encoding = time.perf_counter() - start
        watch, seconds = profiled(vlm, training_set, sizes.training_steps)
        watch.seconds[REST] = seconds - sum(watch.seconds.values())
        per_epoch = training_set.batches_per_epoch(BATCH)
        for name in SHARES:
            took = watch.seconds[name]
            # pictures are decoded once, not every epoch
            epoch = took if name == PICTURES else took / sizes.training_steps * per_epoch
            rows.append(
                {"model": model, "part": name, "seconds": took, "share": took / seconds, "seconds_per_epoch": epoch}
            )
        whole = sum(row["seconds_per_epoch"] for row in rows if row["model"] == model and row["part"] != PICTURES)
        rows.append(
            {"model": model, "part": ENCODING, "seconds": encoding, "share": np.nan, "seconds_per_epoch": np.nan}
        )
        rows.append(
            {"model": model, "part": "an epoch", "seconds": np.nan, "share": np.nan, "seconds_per_epoch": whole}
        )
    caption = (
        f"Time of training the small models, by part: {sizes.training_steps} steps with {BATCH} samples, training data "
        f"of {sizes.people} people. share: of the seconds of these steps; seconds_per_epoch: of one pass over the "
        "training data. Pictures are decoded once and the training data is encoded once, so these are not parts of an "
        "epoch."
    )
    return [Table("profile", caption, pd.DataFrame(rows))]
