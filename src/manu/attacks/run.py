"""Every attack on one model: the answers of those that ask, and the signals of those that read numbers.

An attack that asks sees the model's system prompt. Relearning, the probe and membership inference use the weights
directly, without the prompt.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from manu.attacks.membership import membership_scores
from manu.attacks.probing import before_value, chosen_options, hidden_states, train_probe
from manu.attacks.questions import (
    MEMBERSHIP,
    PROBE,
    RELEARNING,
    ROUNDING,
    TAUGHT_AGAIN,
    attacked,
    relearned_people,
    relearning_condition,
    rounding_condition,
    stops,
)
from manu.attacks.relearning import relearn
from manu.attacks.rounding import rounded
from manu.core.words import FORGET, RETAIN
from manu.data.profiles import UNSEEN, forget_config, retain_config
from manu.data.reading import read_names, read_profiles, read_training_data_of
from manu.evaluation.answers import answer, settings_of
from manu.evaluation.asking import ask
from manu.evaluation.questions import SOURCES, AskedQuestion, asked_questions, read_split
from manu.models.base import VisionLanguageModel
from manu.training.dataset import TrainingSet
from manu.training.lora import released_lora


def attack_answers(
    config: dict, vlm: VisionLanguageModel, benchmark: Path, system: str | None
) -> Iterator[pd.DataFrame]:
    """The answers under each attack and condition (columns `attack` and `condition`).

    config: of the job: ratios, evaluation, robustness, seed and, if it has one, lora. Relearning comes last, as it
    changes the model.
    """
    (ratio,), evaluation, robustness = config["ratios"], config["evaluation"], config["robustness"]
    questions = attacked(benchmark, ratio, evaluation, robustness)

    def answered(attack: str, condition: str, system: str | None) -> pd.DataFrame:
        table = answer(vlm, *questions[attack, condition], config, evaluation, system)
        return table.assign(attack=attack, condition=condition)

    for bits in robustness["bits"]:
        with rounded(vlm.model, bits):
            yield answered(ROUNDING, rounding_condition(bits), system)
    for attack, condition in questions:
        if attack not in (ROUNDING, RELEARNING):
            yield answered(attack, condition, system)

    settings = robustness["relearning"]
    unlearned = {name: weight.clone() for name, weight in vlm.model.state_dict().items()}
    people = relearned_people(benchmark, ratio, settings["share"])
    configs = dict(zip(TAUGHT_AGAIN, (forget_config(ratio), retain_config(ratio)), strict=True))
    for taught, name in configs.items():
        vlm.model.load_state_dict(unlearned)
        records = [
            record for record in read_training_data_of(benchmark, name) if taught == RETAIN or record.id in people
        ]
        answers: list[pd.DataFrame] = []

        def look(steps: int, taught: str = taught, answers: list[pd.DataFrame] = answers) -> None:
            answers.append(answered(RELEARNING, relearning_condition(taught, steps), None))

        relearn(
            vlm,
            TrainingSet(vlm).add(records, read_names(benchmark, name)),
            settings["learning_rate"],
            settings["batch_size"],
            stops(settings),
            np.random.default_rng(config["seed"]),
            look,
            released_lora(config, vlm),
        )
        yield from answers


def attack_signals(config: dict, vlm: VisionLanguageModel, benchmark: Path) -> Iterator[dict]:
    """Rows of the probe (1.0 = right) and of membership inference (its scores), without the keys of the run.

    config: as for `attack_answers`.
    """
    robustness = config["robustness"]
    for modality in config["evaluation"]["modalities"]:
        yield from _probe_signals(config, vlm, benchmark, modality)
    for split in (FORGET, "unseen") if "membership" in robustness else ():
        asked = _questions(config, benchmark, split, "generation")
        share, size = robustness["membership"]["share"], config["evaluation"]["batch_size"]
        for question, scores in zip(asked, membership_scores(vlm, asked, share, size), strict=True):
            for name, value in scores.items():
                yield _signal(MEMBERSHIP, name, split, question, "", value)


def _probe_signals(config: dict, vlm: VisionLanguageModel, benchmark: Path, modality: str) -> Iterator[dict]:
    """The probe's options for forget people and for held-out retain people, from the states at both places."""
    evaluation = config["evaluation"]
    tested, trained = (
        [
            question
            for question in _questions(config, benchmark, split, "classification")
            if question.modality == modality
        ]
        for split in (FORGET, RETAIN)
    )
    retained, forgotten = (list(dict.fromkeys(q.profile_id for q in questions)) for questions in (trained, tested))
    held_out = retained[-min(len(forgotten), len(retained) - 1) :]
    tested += [question for question in trained if question.profile_id in held_out]
    trained = [question for question in trained if question.profile_id not in held_out]
    replies = [reply.text for reply in ask(vlm, trained + tested, settings_of(evaluation))]
    places = {"end of prompt": [""] * len(replies), "before the value": [before_value(text) for text in replies]}
    known = len(trained)
    for place, words in places.items():
        states = hidden_states(vlm, trained + tested, words, evaluation["batch_size"])
        ridge = config["robustness"]["probe"]["ridge"]
        probe = train_probe(states[:known], [question.reference for question in trained], ridge)
        chosen = chosen_options(probe, states[known:], [list(question.options.values()) for question in tested])
        for question, reply in zip(tested, chosen, strict=True):
            split = FORGET if question.profile_id in forgotten else RETAIN
            yield _signal(PROBE, place, split, question, reply, float(reply == question.reference))


def _questions(config: dict, benchmark: Path, split: str, task: str) -> list[AskedQuestion]:
    """The questions of one task about the people of a split, or about people whom no model was taught ("unseen")."""
    (ratio,), evaluation = config["ratios"], config["evaluation"]
    if split == "unseen":
        source, people = UNSEEN, read_profiles(benchmark, UNSEEN)
    else:
        source, people = SOURCES[split], read_split(benchmark, split, ratio)
    wording = [evaluation["modalities"], [task], evaluation["classification"], evaluation["prompt_style"]]
    return [question for profile in people for question in asked_questions(profile, source, *wording)]


def _signal(attack: str, condition: str, split: str, question: AskedQuestion, reply: str, value: float) -> dict:
    return {
        "attack": attack,
        "condition": condition,
        "split": split,
        "modality": question.modality,
        "profile_id": question.profile_id,
        "question_id": question.question_id,
        "reference": question.reference,
        "reply": reply,
        "value": value,
    }
