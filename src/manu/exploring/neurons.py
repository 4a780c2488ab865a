"""Activations of neurons on single questions."""

from collections.abc import Sequence

import torch
from torch import Tensor

from manu.evaluation.questions import AskedQuestion
from manu.models.base import VisionLanguageModel
from manu.models.inputs import Example, Pictures, prompt_batch
from manu.neurons.activations import record_activations
from manu.neurons.pooling import pool_tokens
from manu.neurons.sites import MlpSite


@torch.inference_mode()
def activations(
    vlm: VisionLanguageModel,
    questions: Sequence[AskedQuestion],
    site: str,
    system: str | None = None,
    batch_size: int = 64,
) -> Tensor:
    """Mean of |z| over the tokens of every prompt, for all neurons of a site: float64 [questions, width].

    The model reads the prompt without generating a reply. A question in plain text does not reach the vision sites, and
    has 0 there. site: name of an MLP site. Raises KeyError on an unknown site.
    """
    mlp = {candidate.name: candidate for candidate in vlm.mlp_sites()}[site]
    pictures, means = Pictures(vlm), torch.zeros(len(questions), mlp.width, dtype=torch.float64)
    for with_picture in (True, False):
        indices = [i for i, question in enumerate(questions) if (question.image is not None) == with_picture]
        for start in range(0, len(indices), batch_size):
            chosen = indices[start : start + batch_size]
            examples = [_example(vlm, questions[i], pictures, system) for i in chosen]
            batch = prompt_batch(vlm, examples, pictures)
            batch_means = _token_means(vlm, mlp, batch)
            if batch_means is not None:
                means[chosen] = batch_means
    return means


def _token_means(vlm: VisionLanguageModel, site: MlpSite, batch: dict[str, Tensor]) -> Tensor | None:
    """Mean of |z| over the tokens, float64 [batch, width]; None if the batch does not reach the site."""
    real = batch["attention_mask"].bool() if site.part == "language" else vlm.vision_mask(batch)
    recorded: list[Tensor] = []
    with record_activations([site], lambda _, z: recorded.append(pool_tokens(z, real)["mean"])):
        vlm.model(**batch)
    return recorded[0].cpu() if recorded else None


def _example(vlm: VisionLanguageModel, question: AskedQuestion, pictures: Pictures, system: str | None) -> Example:
    picture = None if question.image is None else pictures.add(question.image, question.question_id)
    return Example(vlm.prompt_ids(question.prompt, picture is not None, system), [], picture)
