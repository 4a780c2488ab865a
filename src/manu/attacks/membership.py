"""Attack: membership inference. Was this answer about this person in the training data? Higher scores: more likely.

The scores are functions of the model's likelihood of the answer's tokens; the model writes no reply.
"""

import zlib
from collections.abc import Callable

import torch
from torch import Tensor

from manu.evaluation.questions import AskedQuestion
from manu.models.base import VisionLanguageModel
from manu.models.inputs import Example, Pictures, training_batch
from manu.training.losses import answer_tokens


def loss(log_p: Tensor, normed: Tensor, text: str, share: float) -> float:
    """mean log p over the answer's tokens: minus its loss (Yeom et al. 2018). In nats."""
    return log_p.mean().item()


def zlib_normalised(log_p: Tensor, normed: Tensor, text: str, share: float) -> float:
    """mean log p / bytes of the zlib-compressed answer: a long answer is unlikely for its length alone (Carlini et al.
    2021)."""
    return log_p.mean().item() / len(zlib.compress(text.encode("utf-8")))


def min_k(log_p: Tensor, normed: Tensor, text: str, share: float) -> float:
    """mean log p over the `share` of the tokens with the lowest log p, at least one (Min-K % Prob, Shi et al. 2024)."""
    return _lowest(log_p, share).mean().item()


def min_k_plus_plus(log_p: Tensor, normed: Tensor, text: str, share: float) -> float:
    """The same of (log p - mu) / sigma: mean and standard deviation of log p(z) over the vocabulary under the model's
    own prediction at that place (Min-K%++, Zhang et al. 2025)."""
    return _lowest(normed, share).mean().item()


SCORES: dict[str, Callable[[Tensor, Tensor, str, float], float]] = {
    "loss": loss,
    "zlib": zlib_normalised,
    "min_k": min_k,
    "min_k_plus_plus": min_k_plus_plus,
}


def _lowest(values: Tensor, share: float) -> Tensor:
    return values.sort().values[: max(int(share * len(values)), 1)]


def token_scores(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """log p of each answer token and (log p - mu) / sigma; float64 [tokens] each.

    logits: [tokens, vocabulary]; mu = sum_z p(z) log p(z), sigma^2 = sum_z p(z) (log p(z) - mu)^2. If the whole
    vocabulary is equally likely, sigma is 0 and so is the second.
    """
    log_all = logits.double().log_softmax(dim=1)
    p = log_all.exp()
    mean = (p * log_all).sum(dim=1)
    variance = (p * (log_all - mean[:, None]) ** 2).sum(dim=1)
    log_p = log_all.gather(1, targets[:, None]).squeeze(1)
    normed = torch.where(variance > 0, (log_p - mean) / variance.sqrt(), torch.zeros_like(log_p))
    return log_p, normed


@torch.inference_mode()
def membership_scores(
    vlm: VisionLanguageModel, questions: list[AskedQuestion], share: float, batch_size: int
) -> list[dict[str, float]]:
    """For each question the SCORES of its reference answer, in the questions' order."""
    pictures = Pictures(vlm)
    scores: dict[int, dict[str, float]] = {}
    for with_picture in (True, False):
        chosen = [i for i, question in enumerate(questions) if (question.image is not None) is with_picture]
        for start in range(0, len(chosen), batch_size):
            indices = chosen[start : start + batch_size]
            asked = [questions[i] for i in indices]
            examples = [
                Example(
                    vlm.prompt_ids(q.prompt, with_picture),
                    vlm.answer_ids(q.reference),
                    None if q.image is None else pictures.add(q.image, q.question_id),
                )
                for q in asked
            ]
            answer = answer_tokens(vlm.model, training_batch(vlm, examples, pictures))
            log_p, normed = token_scores(answer.logits, answer.targets)
            for row, index in enumerate(indices):
                mine = answer.rows == row
                text = questions[index].reference
                scores[index] = {name: of(log_p[mine], normed[mine], text, share) for name, of in SCORES.items()}
    return [scores[i] for i in range(len(questions))]
