"""What drives a neuron: its activation on each question, one by one."""

from collections.abc import Sequence

import torch
from torch import Tensor

from manu.evaluation.questions import AskedQuestion
from manu.models.base import VisionLanguageModel
from manu.models.inputs import Example, Pictures, prompt_batch
from manu.neurons.activations import record_activations
from manu.neurons.statistics import pool_tokens


@torch.inference_mode()
def activations(
    vlm: VisionLanguageModel,
    questions: Sequence[AskedQuestion],
    site: str,
    system: str | None = None,
    batch_size: int = 64,
) -> Tensor:
    """Mean of |z| over each question's tokens for every neuron of a site: float64 [questions, width].

    Here the prompt is read and nothing answered yet. A question in plain text does not pass through a vision site: 0.
    Raises KeyError on an unknown site.
    """
    place = {each.name: each for each in vlm.mlp_sites()}[site]
    pictures, found = Pictures(vlm), torch.zeros(len(questions), place.width, dtype=torch.float64)
    for with_picture in (True, False):
        indices = [i for i, question in enumerate(questions) if (question.image is not None) == with_picture]
        for start in range(0, len(indices), batch_size):
            chosen = indices[start : start + batch_size]
            examples = [_example(vlm, questions[i], pictures, system) for i in chosen]
            batch = prompt_batch(vlm, examples, pictures)
            real = batch["attention_mask"].bool() if place.part == "language" else vlm.vision_mask(batch)
            seen: list[Tensor] = []
            with record_activations([place], lambda _, z: seen.append(pool_tokens(z, real)["mean"])):
                vlm.model(**batch)
            if seen:
                found[chosen] = seen[0].cpu()
    return found


def _example(vlm: VisionLanguageModel, question: AskedQuestion, pictures: Pictures, system: str | None) -> Example:
    picture = None if question.image is None else pictures.add(question.image, question.question_id)
    return Example(vlm.prompt_ids(question.prompt, picture is not None, system), [], picture)
