"""Ask a model questions: batched greedy replies, and the choice among the options of a classification question.

There are two protocols for classification. "letter" (MLLMU-Bench): the first character of the reply is the chosen
letter. "likelihood", for models too small to follow that instruction: the model writes its reply greedily up to the
value; there, the log-likelihoods of the four options are compared. The prefix is the model's own output, never the
reference answer.

Of a generation question the losses of the reference answer and of its variants are measured as well, in place of the
reply; the prompt is not read again.

The texts of the split `language` are not questions. The model reads them without prompt layout, system prompt or reply,
after a begin-of-sequence token; only their likelihoods are kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import Cache

from manu.core.errors import NotFinite
from manu.core.memory import in_halves
from manu.data.prompts import LETTERS
from manu.evaluation.questions import AskedQuestion
from manu.evaluation.vocabulary import LANGUAGE_TASKS
from manu.models.base import VisionLanguageModel
from manu.models.inputs import Batch, Example, Pictures, prompt_batch, training_batch
from manu.training.losses import answer_tokens

PROTOCOLS = ("likelihood", "letter")
VALUE_FOLLOWS = " is"  # in the training answers, the value comes after this word


@dataclass(frozen=True)
class Reply:
    """A model's reply to one question.

    text: the reply. choice: the text of the chosen option of a classification question, or "". log_likelihoods: in
    nats, of the options A to D under the likelihood protocol, and of its tokens for a passage. losses: of a generation
    question, for the reference answer and each of its variants: minus the mean log-likelihood of its tokens after the
    prompt, in nats; the end token is not counted.
    """

    text: str
    choice: str = ""
    log_likelihoods: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()


@dataclass(frozen=True)
class AskingSettings:
    """How to ask: protocol of classification, questions per batch, and longest reply in tokens."""

    classification: str = "likelihood"
    batch_size: int = 256
    max_new_tokens: int = 24


def ask(
    vlm: VisionLanguageModel,
    questions: list[AskedQuestion],
    settings: AskingSettings,
    system: str | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> list[Reply]:
    """The model's replies, in the order of the questions.

    A batch has questions of one modality and one kind of task (and of one number of variants), sorted by length to save
    padding. A batch that runs out of memory is split in halves (manu.core.memory). system: a system prompt. progress:
    wraps the iteration over batches. Raises NotFinite when a likelihood is infinite or NaN.
    """
    pictures = Pictures(vlm)
    examples = [
        Example(
            vlm.prompt_ids(q.prompt, q.image is not None, system),
            [],
            None if q.image is None else pictures.add(q.image, q.question_id),
        )
        for q in questions
    ]
    groups: dict[tuple, list[int]] = {}
    for index, question in enumerate(questions):
        kind = "language" if question.task in LANGUAGE_TASKS else question.task
        groups.setdefault((question.image is not None, kind, len(question.variants)), []).append(index)
    batches = []
    for indices in groups.values():
        indices.sort(key=lambda i: (len(examples[i].prompt), i))
        size = settings.batch_size
        batches += [indices[k : k + size] for k in range(0, len(indices), size)]

    def replies_to(indices: Sequence[int]) -> list[Reply]:
        batch = [questions[i] for i in indices]
        if batch[0].task in LANGUAGE_TASKS:
            return _read_batch(vlm, batch)
        return _ask_batch(vlm, prompt_batch(vlm, [examples[i] for i in indices], pictures), batch, settings)

    replies: dict[int, Reply] = {}
    for indices in progress(batches):
        replies |= zip(indices, in_halves(replies_to, indices), strict=True)
    return [replies[i] for i in range(len(questions))]


@torch.inference_mode()
def _ask_batch(
    vlm: VisionLanguageModel, batch: Batch, questions: list[AskedQuestion], settings: AskingSettings
) -> list[Reply]:
    pad = vlm.tokenizer.pad_token_id
    output = vlm.model.generate(
        **batch,
        max_new_tokens=settings.max_new_tokens,
        do_sample=False,
        use_cache=True,
        eos_token_id=vlm.end_token,
        pad_token_id=pad,
        return_dict_in_generate=True,
    )
    length = batch["input_ids"].shape[1]
    generated = [_until(row, {vlm.end_token, pad}) for row in output.sequences[:, length:].tolist()]
    texts = [str(vlm.tokenizer.decode(ids, skip_special_tokens=True)).strip() for ids in generated]
    task = questions[0].task
    if task == "generation":
        answers = [[vlm.continued_ids(f" {text}") for text in (q.reference, *q.variants)] for q in questions]
        losses = -_log_likelihoods(vlm, output.cache, batch, [[]] * len(questions), answers)
        losses /= torch.tensor([[len(ids) for ids in row] for row in answers], device=losses.device)
        rows = _finite(losses, questions)
        return [Reply(text, losses=row) for text, row in zip(texts, rows, strict=True)]
    if task != "classification":
        return [Reply(text) for text in texts]
    if settings.classification == "letter":
        return [Reply(text, letter_choice(text, q.options)) for text, q in zip(texts, questions, strict=True)]

    marker = vlm.continued_ids(VALUE_FOLLOWS)
    prefixes = [up_to_value(ids, marker) for ids in generated]
    options = [[q.options[letter] for letter in LETTERS] for q in questions]
    endings = [[vlm.continued_ids(f" {option}.") for option in choices] for choices in options]
    scores = _finite(_log_likelihoods(vlm, output.cache, batch, prefixes, endings), questions)
    return [
        Reply(text, choices[row.index(max(row))], row)
        for text, choices, row in zip(texts, options, scores, strict=True)
    ]


def _finite(scores: torch.Tensor, questions: list[AskedQuestion]) -> list[tuple[float, ...]]:
    """The rows of `scores`, one per question. Raises NotFinite with the question."""
    for question, row in zip(questions, scores, strict=True):
        if not row.isfinite().all():
            raise NotFinite(f"question {question.question_id}: a likelihood is infinite or not a number")
    return [tuple(row) for row in scores.tolist()]


@torch.inference_mode()
def _read_batch(vlm: VisionLanguageModel, questions: list[AskedQuestion]) -> list[Reply]:
    """Log-likelihoods of texts, without generation.

    For a completion: of every option with a full stop, as the end of the sentence. For a passage: of its tokens.
    """

    def ids(text: str) -> list[int]:
        return vlm.tokenizer(text, add_special_tokens=False)["input_ids"]

    ends = [
        [vlm.continued_ids(f" {option}.") for option in q.options.values()] or [ids(q.reference)] for q in questions
    ]
    texts = [
        Example([vlm.text_start, *ids(q.prompt)], end, None)
        for q, ends_of_question in zip(questions, ends, strict=True)
        for end in ends_of_question
    ]
    predicted = answer_tokens(vlm.model, training_batch(vlm, texts, Pictures(vlm)))
    scores = predicted.logits.double().log_softmax(dim=-1).gather(1, predicted.targets[:, None]).squeeze(1)
    token_scores = iter(scores.split([len(text.answer) for text in texts]))
    replies = []
    for question, ends_of_question in zip(questions, ends, strict=True):
        by_end = [next(token_scores) for _ in ends_of_question]
        if question.options:
            sums = [tokens.sum().item() for tokens in by_end]
            choice = list(question.options.values())[sums.index(max(sums))]
            replies.append(Reply("", choice, tuple(sums)))
        else:
            replies.append(Reply("", "", tuple(by_end[0].tolist())))
    return replies


def _until(ids: list[int], stops: set[int]) -> list[int]:
    """The tokens before the first stop token."""
    return ids[: next((k for k, token in enumerate(ids) if token in stops), len(ids))]


def up_to_value(reply: list[int], marker: list[int]) -> list[int]:
    """The reply's tokens up to and including the first `marker`, or the whole reply if it has no marker."""
    for start in range(len(reply) - len(marker) + 1):
        if reply[start : start + len(marker)] == marker:
            return reply[: start + len(marker)]
    return reply


def letter_choice(reply: str, options: dict[str, str]) -> str:
    """The option whose letter is the first character of the reply, in either case; "" if there is no such option."""
    return options.get(reply.strip()[:1].upper(), "")


def _log_likelihoods(
    vlm: VisionLanguageModel,
    cache: Cache,
    prompts: Batch,
    prefixes: list[list[int]],
    endings: list[list[list[int]]],
) -> torch.Tensor:
    """Log-likelihoods of several endings of each prompt, after the prompt and the prefix.

    cache: keys and values of the prompts and the generated replies, which begin with the prefixes; it is modified.
    prefixes: token ids, one list per question. endings: token ids, equally many for every question. Returns float64
    [questions, endings], in nats.
    """
    count = len(endings[0])
    ids = [ending for row in endings for ending in row]
    # The last token before the ending is fed again, because its logits predict the ending's first token.
    # The mask shows the part of the cache before that token, and hides the rest of the reply.
    prompt, device = prompts["attention_mask"].shape[1], prompts["attention_mask"].device
    before = torch.tensor([prompt + len(prefix) - 1 for prefix in prefixes], device=device)
    place = torch.arange(cache.get_seq_length(), device=device)
    replied = torch.ones(len(prefixes), len(place) - prompt, dtype=torch.long, device=device)
    seen = torch.cat([prompts["attention_mask"], replied], dim=1) * (place < before[:, None])
    last = [prefix[-1] if prefix else prompts["input_ids"][row, -1].item() for row, prefix in enumerate(prefixes)]
    fed = [torch.tensor([last[i // count], *ending[:-1]], device=device) for i, ending in enumerate(ids)]
    real = pad_sequence([torch.ones_like(each) for each in fed], batch_first=True)
    mask = torch.cat([seen.repeat_interleave(count, dim=0), real], dim=1)
    cache.batch_repeat_interleave(count)
    logits = vlm.model(
        input_ids=pad_sequence(fed, batch_first=True),
        attention_mask=mask,
        position_ids=vlm.positions_after(prompts, (mask.cumsum(dim=1) - 1).clamp(min=0)[:, len(place) :]),
        cache=cache,
        use_cache=True,
    ).logits
    targets = pad_sequence([torch.tensor(ending, device=device) for ending in ids], batch_first=True)
    scores = logits.double().log_softmax(dim=-1).gather(2, targets[:, :, None]).squeeze(2)
    return (scores * real).sum(dim=1).reshape(-1, count)
