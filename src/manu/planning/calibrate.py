"""Measure the three constants of a processor core: `python -m manu.planning.calibrate` (half a minute, idle core).

A training step of the default LLaVA, with pictures, at a small and at a large batch: both call each layer equally
often, so two times give two constants. Then a copy of a large tensor. Seconds are the thread's own processor time.
"""

import io
import sys
import time
from itertools import pairwise
from statistics import median

import torch
from PIL import Image

from manu.models.inputs import Example, Pictures, training_batch
from manu.models.loading import prepare_torch
from manu.models.registry import vlm_class
from manu.planning.model_sizes import measured_sizes, picture_tokens
from manu.planning.work import Learning, Work, forward, step
from manu.training.loop import Optimisation, fit
from manu.training.losses import answer_cross_entropy

SAMPLES, PROMPT, ANSWER, STEPS = (1, 64), 28, 12, 20
COPIED = 2**28  # bytes


def constants(works: tuple[Work, Work], seconds: tuple[float, float]) -> tuple[float, float]:
    """(flop per second, seconds of a layer) from seconds = flop / rate + layers * each, of two works with the same
    number of layers."""
    small, large = works
    rate = (large.flop - small.flop) / (seconds[1] - seconds[0])
    return rate, (seconds[0] - small.flop / rate) / small.layers


def measure() -> tuple[float, float]:
    """The constants of the core that this runs on."""
    prepare_torch(seed=0)
    cls = vlm_class("llava")
    vlm = cls.build(cls.architecture_class(), ["What is the hobby of this person? The hobby is chess."])
    sizes = measured_sizes(vlm, "built", picture_tokens(vlm))
    image = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(image, format="PNG")
    pictures = Pictures(vlm)
    row = pictures.add(image.getvalue(), "calibration")
    begin = vlm.prompt_ids("?", with_image=True)
    prompt = begin + [begin[-1]] * (PROMPT - len(begin))
    example = Example(prompt, [begin[-1]] * ANSWER, row)
    works: list[Work] = []
    seconds: list[float] = []
    for samples in SAMPLES:
        batch = training_batch(vlm, [example] * samples, pictures)
        one = forward(sizes, samples, len(example), ANSWER, with_picture=True)
        works.append(step(sizes, Learning(), one, samples * len(example)))
        seconds.append(_step_seconds(vlm.model, batch))
    return constants((works[0], works[1]), (seconds[0], seconds[1]))


def _step_seconds(model, batch) -> float:
    """Median over STEPS steps, without the first five."""
    starts = []

    def loss(batch):
        starts.append(time.thread_time())
        return answer_cross_entropy(model, batch)

    fit(model, [batch] * (STEPS + 5), loss, Optimisation(1e-4, STEPS + 5, schedule="constant"))
    return median(b - a for a, b in pairwise(starts[4:]))


def bandwidth() -> float:
    """Bytes read and written per second of a copy; the median of STEPS copies."""
    source, target = torch.ones(COPIED, dtype=torch.uint8), torch.zeros(COPIED, dtype=torch.uint8)
    seconds = []
    for _ in range(STEPS):
        start = time.thread_time()
        target.copy_(source)
        seconds.append(time.thread_time() - start)
    return 2 * COPIED / median(seconds)


if __name__ == "__main__":
    rate, each = measure()
    said = f"{rate / 1e9:.0f} GFLOP/s sustained, {each * 1e3:.2f} ms a layer, {bandwidth() / 1e9:.1f} GB/s"
    sys.stdout.write(f"{said}\n")
