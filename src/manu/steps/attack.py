"""Rule attack: every attack on one model, loaded once, as it is asked.

Writes the answers to every question that an attack asks (columns `attack` and `condition` beside those of evaluate),
and the signals of the attacks that read numbers instead of asking: the probe's right or wrong, the membership scores.

Whoever asks the model meets its system prompt; whoever has its weights (relearning, probe, membership) does without.
There is nothing to attack in a model whose training diverged.
"""

from collections.abc import Iterator

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
from manu.core.diverged import marked, write_unanswered
from manu.core.files import atomic_path
from manu.data.profiles import UNSEEN, forget_config, retain_config
from manu.data.reading import read_names, read_profiles, read_training_data_of
from manu.evaluation.answers import answer, settings_of
from manu.evaluation.asking import ask
from manu.evaluation.questions import SOURCES, AskedQuestion, asked_questions, read_split
from manu.models.base import VisionLanguageModel
from manu.steps import evaluate
from manu.steps.command import StageParser, run
from manu.steps.models import released_lora
from manu.training.dataset import TrainingSet


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True)
    evaluate.read_asked(options)
    options.write("answers", help="parquet")
    options.write("signals", help="parquet")
    return options


def _answers(options, config, vlm: VisionLanguageModel, system: str | None) -> Iterator[pd.DataFrame]:
    """The answers of each attack and condition, relearning last: it changes the model."""
    (ratio,), evaluation, robustness = config["ratios"], config["evaluation"], config["robustness"]
    asked = attacked(options.benchmark, ratio, evaluation, robustness)

    def answered(attack: str, condition: str, system: str | None) -> pd.DataFrame:
        table = answer(vlm, *asked[attack, condition], config, evaluation, system)
        return table.assign(attack=attack, condition=condition)

    for bits in robustness["bits"]:
        with rounded(vlm.model, bits):
            yield answered(ROUNDING, rounding_condition(bits), system)
    for attack, condition in asked:
        if attack not in (ROUNDING, RELEARNING):
            yield answered(attack, condition, system)

    settings = robustness["relearning"]
    first = {name: each.clone() for name, each in vlm.model.state_dict().items()}
    people = relearned_people(options.benchmark, ratio, settings["share"])
    configs = dict(zip(TAUGHT_AGAIN, (forget_config(ratio), retain_config(ratio)), strict=True))
    for lessons, name in configs.items():
        vlm.model.load_state_dict(first)
        taught = [
            each for each in read_training_data_of(options.benchmark, name) if lessons == "retain" or each.id in people
        ]
        found: list[pd.DataFrame] = []
        relearn(
            vlm,
            TrainingSet(vlm).add(taught, read_names(options.benchmark, name)),
            settings["learning_rate"],
            settings["batch_size"],
            stops(settings),
            np.random.default_rng(config["seed"]),
            lambda steps: found.append(answered(RELEARNING, relearning_condition(lessons, steps), None)),
            released_lora(config, vlm),
        )
        yield from found


def _signals(options, config, vlm: VisionLanguageModel) -> Iterator[dict]:
    """Rows of the probe and of membership inference, without the keys."""
    (ratio,), evaluation, robustness = config["ratios"], config["evaluation"], config["robustness"]

    def questions(split: str, task: str) -> list[AskedQuestion]:
        if split == "unseen":
            source, people = UNSEEN, read_profiles(options.benchmark, UNSEEN)
        else:
            source, people = SOURCES[split], read_split(options.benchmark, split, ratio)
        wording = [evaluation["modalities"], [task], evaluation["classification"], evaluation["prompt_style"]]
        return [question for profile in people for question in asked_questions(profile, source, *wording)]

    for modality in evaluation["modalities"]:
        tested, taught = (
            [question for question in questions(split, "classification") if question.modality == modality]
            for split in ("forget", "retain")
        )
        people, forgotten = (list(dict.fromkeys(q.profile_id for q in those)) for those in (taught, tested))
        held_out = people[-min(len(forgotten), len(people) - 1) :]
        tested += [question for question in taught if question.profile_id in held_out]
        taught = [question for question in taught if question.profile_id not in held_out]
        replies = [reply.text for reply in ask(vlm, taught + tested, settings_of(evaluation))]
        places = {"end of prompt": [""] * len(replies), "before the value": [before_value(text) for text in replies]}
        for place, said in places.items():
            states = hidden_states(vlm, taught + tested, said, evaluation["batch_size"])
            known = len(taught)
            probe = train_probe(states[:known], [q.reference for q in taught], robustness["probe"]["ridge"])
            chosen = chosen_options(probe, states[known:], [list(q.options.values()) for q in tested])
            for question, reply in zip(tested, chosen, strict=True):
                split = "forget" if question.profile_id in forgotten else "retain"
                yield _signal(PROBE, place, split, question, reply, float(reply == question.reference))

    for split in ("forget", "unseen") if "membership" in robustness else ():
        user_message = questions(split, "generation")
        found = membership_scores(vlm, user_message, robustness["membership"]["share"], evaluation["batch_size"])
        for question, scores in zip(user_message, found, strict=True):
            for name, value in scores.items():
                yield _signal(MEMBERSHIP, name, split, question, "", value)


def _signal(attack: str, condition: str, split: str, question: AskedQuestion, reply: str, value: float) -> dict:
    user_message = {
        "modality": question.modality,
        "profile_id": question.profile_id,
        "question_id": question.question_id,
    }
    said = {"reference": question.reference, "reply": reply, "value": value}
    return {"attack": attack, "condition": condition, "split": split, **user_message, **said}


def main(options, config) -> str:
    """Attack, and write --answers and --signals."""
    if why := marked(options.checkpoint):
        for path in (options.answers, options.signals):
            write_unanswered(path, config, why)
        return f"{options.answers}: not attacked, its training diverged ({why})"
    vlm, system = evaluate.load_asked(options, config)
    keys = {name: config[name] for name in ("study", "model", "method")}
    keys |= {"forget_ratio": config["ratios"][0], "seed": config["seed"]}
    signals = pd.DataFrame([{**keys, **row} for row in _signals(options, config, vlm)])
    answers = pd.concat(list(_answers(options, config, vlm, system)), ignore_index=True)
    with atomic_path(options.answers) as new_answers, atomic_path(options.signals) as new_signals:
        answers.to_parquet(new_answers, index=False)
        signals.to_parquet(new_signals, index=False)
    return f"{options.answers}: {len(answers)} answers under attack, {len(signals)} signals"


if __name__ == "__main__":
    run(main, parser())
