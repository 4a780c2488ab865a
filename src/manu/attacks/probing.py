"""Attack: a linear probe. Can a linear map read the answer from the model's hidden state?

The probe is trained on retain people and tested on forget people and on held-out retain people; the latter show what it
can read without forgetting. It reads two places: the end of the prompt, and the place where the value would follow in
the model's own words. After Patil et al. 2024, who look for deleted answers in hidden states.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from manu.evaluation.asking import VALUE_FOLLOWS
from manu.evaluation.questions import AskedQuestion
from manu.models.base import VisionLanguageModel
from manu.models.inputs import Example, Pictures, prompt_batch


@torch.inference_mode()
def hidden_states(
    vlm: VisionLanguageModel, questions: list[AskedQuestion], said: Sequence[str], batch_size: int
) -> np.ndarray:
    """The last layer's state at the last token of each prompt, continued by its words in `said` ("" for none).

    float64 [questions, width]. All questions are of one modality.
    """
    pictures = Pictures(vlm)
    examples = [
        Example(
            vlm.prompt_ids(q.prompt, q.image is not None) + (vlm.continued_ids(f" {words}") if words else []),
            [],
            None if q.image is None else pictures.add(q.image, q.question_id),
        )
        for q, words in zip(questions, said, strict=True)
    ]
    states = []
    for start in range(0, len(examples), batch_size):
        batch = prompt_batch(vlm, examples[start : start + batch_size], pictures)
        places = {"position_ids": vlm.positions(batch)}
        output = vlm.model(**batch, **places, output_hidden_states=True, logits_to_keep=1)
        states.append(output.hidden_states[-1][:, -1].double().cpu().numpy())
    return np.concatenate(states)


@dataclass(frozen=True)
class Probe:
    """A linear classifier of standardised states. weights: [width + 1, classes], the last row the bias."""

    classes: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray

    def scores(self, states: np.ndarray) -> np.ndarray:
        """Logits of the classes: [states, width] -> [states, classes]."""
        return _with_bias((states - self.mean) / self.scale) @ self.weights


def train_probe(states: np.ndarray, values: list[str], ridge: float, iterations: int = 200) -> Probe:
    """Multinomial logistic regression: minimises sum of -log p(value | state) + ridge / 2 |W|^2 (bias free), by L-BFGS.

    states: [samples, width], standardised here by their mean and standard deviation.
    """
    classes = tuple(sorted(set(values)))
    mean, scale = states.mean(axis=0), states.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    inputs = torch.from_numpy(_with_bias((states - mean) / scale))
    targets = torch.tensor([classes.index(value) for value in values])
    weights = torch.zeros(inputs.shape[1], len(classes), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=iterations, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(inputs @ weights, targets, reduction="sum") + ridge / 2 * (weights[:-1] ** 2).sum()
        value.backward()
        return value

    optimiser.step(objective)
    return Probe(classes, mean, scale, weights.detach().numpy())


def chosen_options(probe: Probe, states: np.ndarray, options: list[list[str]]) -> list[str]:
    """For each state the option with the highest score; options that the probe was not trained on come last.

    options: the texts of each question's options.
    """
    column = {name: i for i, name in enumerate(probe.classes)}
    chosen = []
    for row, texts in zip(probe.scores(states), options, strict=True):
        known = [row[column[text]] if text in column else -np.inf for text in texts]
        chosen.append(texts[int(np.argmax(known))])
    return chosen


def before_value(reply: str) -> str:
    """A reply's words up to where a value follows; the whole reply where none does."""
    head, marker, _ = reply.partition(VALUE_FOLLOWS)
    return head + marker


def _with_bias(inputs: np.ndarray) -> np.ndarray:
    return np.hstack([inputs, np.ones((len(inputs), 1))])
