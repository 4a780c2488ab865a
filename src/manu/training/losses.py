"""Likelihoods of answers, from which every loss is computed; the tokens of the prompt never enter a loss."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manu.core.batch import Batch, without_labels
from manu.models.inputs import IGNORE


@dataclass(frozen=True)
class AnswerTokens:
    """The predictions of the answer tokens of a batch, and of nothing else.

    logits: float32 [answer tokens, vocabulary]; targets: int64 [answer tokens];
    rows: int64 [answer tokens], the sample that each token belongs to; samples: batch size.
    """

    logits: Tensor
    targets: Tensor
    rows: Tensor
    samples: int


def answer_tokens(model: nn.Module, batch: Batch) -> AnswerTokens:
    """Run the model and keep its predictions at answer positions; prompt tokens never enter a loss.

    Token t is predicted by the logits at t - 1. Raises ValueError when a sample has no answer
    token, for example because it was cut off.
    """
    labels = batch["labels"]
    is_answer = labels[:, 1:] != IGNORE
    columns = is_answer.any(dim=0).nonzero().flatten()  # the head need not predict what no loss looks at
    rows, kept = is_answer[:, columns].nonzero(as_tuple=True)
    empty = (torch.bincount(rows, minlength=len(labels)) == 0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"samples {empty} of the batch have no answer token")
    logits = model(**without_labels(batch), logits_to_keep=columns).logits
    return AnswerTokens(logits[rows, kept].float(), labels[rows, columns[kept] + 1], rows, len(labels))


def answer_cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """CE(D): mean over all answer tokens of -log p(token | what precedes it); scalar, in nats."""
    answer = answer_tokens(model, batch)
    return F.cross_entropy(answer.logits, answer.targets)


def answer_log_likelihood(model: nn.Module, batch: Batch) -> Tensor:
    """log pi(answer | question): the sum over a sample's answer tokens; float32 [batch], in nats."""
    answer = answer_tokens(model, batch)
    log_likelihoods = -F.cross_entropy(answer.logits, answer.targets, reduction="none")
    return log_likelihoods.new_zeros(answer.samples).index_add(0, answer.rows, log_likelihoods)


def divergence_from(reference: nn.Module, batch: Batch, logits: Tensor) -> Tensor:
    """KL(reference || current), summed over the answer tokens of a batch; scalar, in nats.

    logits: the current model's at the answer tokens, [tokens, vocabulary].
    """
    with torch.no_grad():
        target = answer_tokens(reference, batch).logits.log_softmax(-1)
    return F.kl_div(logits.log_softmax(-1), target, reduction="sum", log_target=True)
