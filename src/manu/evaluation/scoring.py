"""Score replies against references by MLLMU-Bench's protocol.

Source: MLLMU-Bench's evaluation (Liu et al. 2024, arXiv 2410.22108) as in MANU's released `eval.py`. The text libraries
are imported on use, because their import is slow.
"""

import json
import re
import unicodedata
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from manu.core.errors import UserError
from manu.evaluation.metrics import METRICS, columns_of
from manu.evaluation.vocabulary import LANGUAGE_TASKS, TASKS

__all__ = ["METRICS", "bleu", "classification_correct", "cloze_correct", "log_perplexity", "rouge", "score_answers"]

_NEEDED = ("task", "reference", "reply", "choice")


def classification_correct(choice: str, reference: str) -> float:
    """1.0 if the chosen option is the right one, else 0.0. No choice ("") is wrong."""
    return float(choice != "" and choice == reference)


def cloze_correct(reply: str, reference: str) -> float:
    """1.0 if the reply contains the reference, ignoring case, white space and Unicode forms, else 0.0.

    Raises ValueError on an empty reference, because every reply would contain it.
    """
    if not reference.strip():
        raise ValueError("the reference of a cloze question is empty")
    return float(normalised(reference).lower() in normalised(reply).lower())


def normalised(text: str) -> str:
    """The text with composed letters (Unicode NFC), and one blank for each run of white space, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@lru_cache(maxsize=1)
def _rouge_scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)


def rouge(reply: str, reference: str) -> dict[str, float]:
    """F1 of ROUGE-1, ROUGE-2 and ROUGE-L in [0, 1], by rouge-score with its Porter stemmer.

    rouge-score converts to lower case, reads the letters a to z and digits alone, and stems words of more than three
    letters. Raises ValueError on a reference in which it reads nothing: every reply would score 0.
    """
    if not rouge_reads(reference):
        raise ValueError(f"ROUGE reads the letters a to z and digits alone, and none is in the reference {reference!r}")
    return {name: score.fmeasure for name, score in _rouge_scorer().score(reference, reply).items()}


def rouge_reads(text: str) -> bool:
    """Whether rouge-score finds a word in a text."""
    return re.search("[a-z0-9]", text.lower()) is not None


def bleu(reply: str, reference: str) -> float:
    """Sentence BLEU-4 in [0, 1], by nltk with SmoothingFunction().method1.

    Both texts are split at white space, as in the released evaluation. Case and punctuation count: "Chess." is not
    "chess". An empty reply scores 0.
    """
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    return float(sentence_bleu([reference.split()], reply.split(), smoothing_function=SmoothingFunction().method1))


def log_perplexity(log_likelihoods: str) -> float:
    """Minus the mean log-likelihood per token, in nats.

    log_likelihoods: a JSON list. Raises ValueError when it is empty.
    """
    tokens = json.loads(log_likelihoods or "[]")
    if not tokens:
        raise ValueError("a passage has no log-likelihoods of its tokens")
    return -float(np.mean(tokens))


def score_answers(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy of the answers with the float64 columns correct, rouge1, rouge2, rougeL and bleu.

    frame: needs the text columns task, reference, reply and choice. correct: 0 or 1 for classification, cloze and
    completion, otherwise NaN. The others: in [0, 1] for generation, otherwise NaN. If there are passages, also
    log_perplexity, from the column option_log_likelihoods.
    Raises UserError on a missing column, an unknown task, an empty cloze reference, or a passage without likelihoods.
    """
    missing = [column for column in _NEEDED if column not in frame.columns]
    if missing:
        raise UserError(f"answers lack the columns: {', '.join(missing)}; needed: {', '.join(_NEEDED)}")
    known = (*TASKS, *LANGUAGE_TASKS)
    unknown = sorted(set(frame["task"]) - set(known))
    if unknown:
        raise UserError(f"unknown task '{unknown[0]}' in the answers; known: {', '.join(known)}")

    texts = list(zip(frame["task"], frame["reference"], frame["reply"], frame["choice"], strict=True))
    scored = {key: _score(*key) for key in dict.fromkeys(texts)}  # equal answers are scored once
    columns = columns_of(TASKS)
    values = np.array([[scored[key].get(column, np.nan) for column in columns] for key in texts], dtype=np.float64)
    values = values.reshape(len(texts), len(columns))
    filled = frame.assign(**{column: values[:, index] for index, column in enumerate(columns)})
    return _score_passages(filled) if "passage" in set(frame["task"]) else filled


def _score_passages(frame: pd.DataFrame) -> pd.DataFrame:
    try:
        rows = zip(frame["task"], frame["option_log_likelihoods"], strict=True)
        values = [log_perplexity(tokens) if task == "passage" else np.nan for task, tokens in rows]
    except ValueError as error:
        raise UserError(f"answers: {error}") from None
    return frame.assign(log_perplexity=np.array(values, dtype=np.float64))


def _score(task: str, reference: str, reply: str, choice: str) -> dict[str, float]:
    """The metric columns that the task of an answer has, with their values."""
    if task == "passage":
        return {}
    if task in ("classification", "completion"):
        return {"correct": classification_correct(choice, reference)}
    if task == "cloze":
        try:
            return {"correct": cloze_correct(reply, reference)}
        except ValueError as error:
            raise UserError(f"answers: {error}; it would make every reply right") from error
    try:
        return {**rouge(reply, reference), "bleu": bleu(reply, reference)}
    except ValueError as error:
        raise UserError(f"answers: {error}; leave the task generation out of the study") from error
