"""The table of answers: one row per question asked, with everything a score can be recomputed from."""

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
    """Ask a model every question of the evaluation's splits at each forget ratio, and score the replies.

    keys: study, model, method and seed, copied into every row. evaluation: splits, modalities, tasks,
    classification protocol, prompt_style, batch_size, max_new_tokens. A question that several ratios share
    is asked once and has a row for each. Columns: the keys, forget_ratio, split, modality, task, profile_id,
    question_id, prompt, reference, options, reply, choice, option_log_likelihoods and the metrics.
    """
    return answer(vlm, *questions_of(benchmark, ratios, evaluation), keys, evaluation, system, progress)


def answer(
    vlm: VisionLanguageModel,
    questions: dict[str, AskedQuestion],
    places: list[tuple[int, str, str]],
    keys: dict,
    evaluation: dict,
    system: str | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> pd.DataFrame:
    """The same for given questions by id, and the rows of their answers: (forget ratio, split, question id)."""
    replies = dict(zip(questions, ask(vlm, list(questions.values()), settings_of(evaluation), system, progress)))
    rows = [_row(keys, ratio, split, questions[name], replies[name]) for ratio, split, name in places]
    return score_answers(pd.DataFrame(rows))


def questions_of(
    benchmark: Path, ratios: list[int], evaluation: dict
) -> tuple[dict[str, AskedQuestion], list[tuple[int, str, str]]]:
    """Every question of an evaluation by its id, and the rows of its answers: (forget ratio, split, question id)."""
    questions: dict[str, AskedQuestion] = {}
    places: list[tuple[int, str, str]] = []
    wording = [evaluation[key] for key in ("modalities", "tasks", "classification", "prompt_style")]
    for ratio in ratios:
        for split in evaluation["splits"]:
            said = ([TEXT], LANGUAGE_TASKS, *wording[2:]) if split == "language" else wording
            for profile in read_split(benchmark, split, ratio):
                for question in asked_questions(profile, source_config(split, ratio), *said):
                    questions.setdefault(question.question_id, question)
                    places.append((ratio, split, question.question_id))
    return questions, places


def settings_of(evaluation: dict) -> AskingSettings:
    """How an evaluation asks."""
    return AskingSettings(evaluation["classification"], evaluation["batch_size"], evaluation["max_new_tokens"])


def options_text(question: AskedQuestion) -> str:
    """The column `options`: the texts of A to D as a JSON list, empty where there are none."""
    return json.dumps(list(question.options.values()), ensure_ascii=False) if question.options else ""


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
        "reply": reply.text,
        "choice": reply.choice,
        "option_log_likelihoods": json.dumps(reply.log_likelihoods) if reply.log_likelihoods else "",
    }
