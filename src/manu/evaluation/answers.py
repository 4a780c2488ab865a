"""The table of answers: one row per question, with everything that is needed to recompute the scores."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from manu.data.profiles import TEXT
from manu.evaluation.asking import AskingSettings, Reply, ask
from manu.evaluation.questions import AskedQuestion, asked_questions, read_split, source_config
from manu.evaluation.scoring import score_answers
from manu.evaluation.vocabulary import LANGUAGE_TASKS
from manu.models.base import VisionLanguageModel


def collect_answers(
    vlm: VisionLanguageModel,
    benchmark: Path,
    keys: dict,
    ratios: list[int],
    evaluation: dict,
    system: str | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> pd.DataFrame:
    """Ask a model the questions of all splits and forget ratios, and score the replies.

    keys: study, model, method and seed, copied into every row. ratios: forget ratios in percent. evaluation: splits,
    modalities, tasks, classification (the protocol), prompt_style, batch_size, max_new_tokens. system: a system
    prompt. progress: wraps the iteration over batches. A question that several forget ratios share is asked once and
    has a row for each of them.
    Returns the columns: the keys, forget_ratio, split, modality, task, profile_id, question_id, prompt, reference,
    options, answer_variants, reply, choice, option_log_likelihoods, answer_losses and the metrics. answer_losses of a
    generation question: a JSON list, for the reference and for each of answer_variants (manu.evaluation.asking.Reply).
    """
    questions, rows = questions_of(benchmark, ratios, evaluation)
    return answer(vlm, questions, rows, keys, evaluation, system, progress)


def answer(
    vlm: VisionLanguageModel,
    questions: dict[str, AskedQuestion],
    rows: list[tuple[int, str, str]],
    keys: dict,
    evaluation: dict,
    system: str | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> pd.DataFrame:
    """As `collect_answers`, for given questions.

    questions: by question id. rows: (forget ratio, split, question id) of every row of the result.
    """
    replies = ask(vlm, list(questions.values()), settings_of(evaluation), system, progress)
    reply_to = dict(zip(questions, replies, strict=True))
    answers = [_row(keys, ratio, split, questions[name], reply_to[name]) for ratio, split, name in rows]
    return score_answers(pd.DataFrame(answers))


def questions_of(
    benchmark: Path, ratios: list[int], evaluation: dict
) -> tuple[dict[str, AskedQuestion], list[tuple[int, str, str]]]:
    """The questions of an evaluation by id, and (forget ratio, split, question id) of every row of its answers."""
    questions: dict[str, AskedQuestion] = {}
    rows: list[tuple[int, str, str]] = []
    for ratio in ratios:
        for split in evaluation["splits"]:
            modalities, tasks = evaluation["modalities"], evaluation["tasks"]
            if split == "language":
                modalities, tasks = [TEXT], list(LANGUAGE_TASKS)
            wording = (modalities, tasks, evaluation["classification"], evaluation["prompt_style"])
            for profile in read_split(benchmark, split, ratio):
                for question in asked_questions(profile, source_config(split, ratio), *wording):
                    questions.setdefault(question.question_id, question)
                    rows.append((ratio, split, question.question_id))
    return questions, rows


def settings_of(evaluation: dict) -> AskingSettings:
    """The settings of `ask` from those of an evaluation."""
    return AskingSettings(evaluation["classification"], evaluation["batch_size"], evaluation["max_new_tokens"])


def options_text(question: AskedQuestion) -> str:
    """The value of the column `options`: the texts of A to D as a JSON list, or "" for a question without options."""
    return json.dumps(list(question.options.values()), ensure_ascii=False) if question.options else ""


def variants_text(question: AskedQuestion) -> str:
    """The value of the column `answer_variants`: the variants of the reference as a JSON list, or "" without any."""
    return json.dumps(question.variants, ensure_ascii=False) if question.variants else ""


def _row(keys: dict, ratio: int, split: str, question: AskedQuestion, reply: Reply) -> dict:
    return {
        "study": keys["study"],
        "model": keys["model"],
        "method": keys["method"],
        "forget_ratio": ratio,
        "seed": keys["seed"],
        "split": split,
        "modality": question.modality,
        "task": question.task,
        "profile_id": question.profile_id,
        "question_id": question.question_id,
        "prompt": question.prompt,
        "reference": question.reference,
        "options": options_text(question),
        "answer_variants": variants_text(question),
        "reply": reply.text,
        "choice": reply.choice,
        "option_log_likelihoods": json.dumps(reply.log_likelihoods) if reply.log_likelihoods else "",
        "answer_losses": json.dumps(reply.losses) if reply.losses else "",
    }
