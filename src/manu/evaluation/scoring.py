"""From a reply and its reference to a number: MLLMU-Bench's protocol.

Source: facts of MLLMU-Bench's evaluation (Liu et al. 2024, arXiv 2410.22108) as MANU's released `eval.py`
runs it. The text libraries are imported where they are used, so that importing this module stays cheap.
"""

import json
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
    """1.0 if the chosen option's text is the right option's text, else 0.0; no choice ("") is wrong."""
    return float(choice != "" and choice == reference)


def cloze_correct(reply: str, reference: str) -> float:
    """1.0 if the reply contains the reference, case ignored, else 0.0.

    Raises ValueError on an empty reference, which every reply would contain.
    """
    if not reference.strip():
        raise ValueError("the reference of a cloze question is empty")
    return float(reference.lower() in reply.lower())


@lru_cache(maxsize=1)
def _rouge_scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)


def rouge(reply: str, reference: str) -> dict[str, float]:
    """ROUGE-1, ROUGE-2 and ROUGE-L F1 in [0, 1], by rouge-score with its stemmer.

    rouge-score lower-cases, keeps letters and digits only, and stems words of more than three letters.
    """
    return {name: score.fmeasure for name, score in _rouge_scorer().score(reference, reply).items()}


def bleu(reply: str, reference: str) -> float:
    """Sentence BLEU-4 in [0, 1], by nltk with SmoothingFunction().method1.

    Tokens are what stands between white space; case and punctuation are kept ("Chess." is not "chess"):
    the released evaluation calls `str.split()` on both sides. An empty reply scores 0.
    """
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    return float(sentence_bleu([reference.split()], reply.split(), smoothing_function=SmoothingFunction().method1))


def log_perplexity(log_likelihoods: str) -> float:
    """Minus the mean of the tokens' log-likelihoods (a JSON list, in nats). Raises ValueError where there is none."""
    tokens = json.loads(log_likelihoods or "[]")
    if not tokens:
        raise ValueError("a passage has no log-likelihoods of its tokens")
    return -float(np.mean(tokens))


def score_answers(frame: pd.DataFrame) -> pd.DataFrame:
    """Copy of the answers with the columns correct, rouge1, rouge2, rougeL and bleu filled, float64.

    correct: 0 or 1 for classification, cloze and completion, NaN for generation; the others: [0, 1] for generation,
    NaN otherwise. Where there are passages, log_perplexity as well, from the column option_log_likelihoods.
    Needs the columns task, reference, reply and choice (text).
    Raises UserError on a missing column, an unknown task, an empty cloze reference or an unread passage.
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
        values = [log_perplexity(said) if task == "passage" else np.nan for task, said in rows]
    except ValueError as error:
        raise UserError(f"answers: {error}") from None
    return frame.assign(log_perplexity=np.array(values, dtype=np.float64))


def _score(task: str, reference: str, reply: str, choice: str) -> dict[str, float]:
    """The columns of one answer that its task fills."""
    if task == "passage":
        return {}
    if task in ("classification", "completion"):
        return {"correct": classification_correct(choice, reference)}
    if task == "cloze":
        try:
            return {"correct": cloze_correct(reply, reference)}
        except ValueError as error:
            raise UserError(f"answers: {error}; it would make every reply right") from error
    return {**rouge(reply, reference), "bleu": bleu(reply, reference)}
