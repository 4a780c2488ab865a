"""The questions of each attack: classification in the study's protocol, about forget people unless noted.

The audit builds them again from the benchmark alone.
"""

from dataclasses import replace
from pathlib import Path

from manu.attacks.pictures import perturbed
from manu.core.errors import UserError
from manu.data.profiles import MULTIMODAL, Profile, forget_config
from manu.data.reading import read_ids, splits_of
from manu.evaluation.answers import questions_of
from manu.evaluation.questions import SOURCES, AskedQuestion, asked_questions, read_split

ROUNDING, WORDING, PORTRAIT, RELEARNING = "rounding", "wording", "portrait", "relearning"
PROBE, MEMBERSHIP = "probe", "membership"  # these ask nothing: they read numbers
TAUGHT_AGAIN = (
    "forget",
    "retain",
)  # whose training records an attacker teaches: of some forget people, or of retain people
Questions = tuple[dict[str, AskedQuestion], list[tuple[int, str, str]]]


def attacked(benchmark: Path, ratio: int, evaluation: dict, robustness: dict) -> dict[tuple[str, str], Questions]:
    """(attack, condition) -> its questions by id, and the rows of their answers as `questions_of` gives them.

    evaluation: as for `collect_answers`, of classification questions. robustness: bits, perturbations, relearning.
    """
    by_attack: dict[tuple[str, str], Questions] = {}
    plain = questions_of(benchmark, [ratio], evaluation | {"splits": ["forget", "retain"]})
    for bits in robustness["bits"]:
        by_attack[ROUNDING, rounding_condition(bits)] = plain

    profiles, shown = read_split(benchmark, "forget", ratio), {}
    if "test" in splits_of(benchmark):
        other = {profile.id: profile for profile in read_split(benchmark, "test", ratio)}
        anew = [replace(profile, questions=other[profile.id].questions) for profile in profiles]
        by_attack[WORDING, "other words"] = _asked(anew, "test", ratio, evaluation)
        shown["other portrait"] = [replace(profile, image=other[profile.id].image) for profile in profiles]

    pictures = evaluation | {"modalities": [m for m in evaluation["modalities"] if m == MULTIMODAL]}
    for name in robustness["perturbations"]:
        shown[name] = [replace(profile, image=perturbed(profile.image, name)) for profile in profiles]
    if pictures["modalities"]:
        for condition, people in shown.items():
            by_attack[PORTRAIT, condition] = _asked(people, "forget", ratio, pictures)

    taught = set(relearned_people(benchmark, ratio, robustness["relearning"]["share"]))
    remaining = _asked([p for p in profiles if p.id not in taught], "forget", ratio, evaluation)
    for records in TAUGHT_AGAIN:
        for steps in stops(robustness["relearning"]):
            by_attack[RELEARNING, relearning_condition(records, steps)] = remaining
    return by_attack


def rounding_condition(bits: int) -> str:
    """`4 bits`."""
    return f"{bits} bits"


def relearning_condition(records: str, steps: int) -> str:
    """`forget lessons, 20 steps`."""
    return f"{records} lessons, {steps} steps"


def stops(relearning: dict) -> list[int]:
    """The numbers of steps after which the relearning model is asked: 0, then the study's."""
    return [0, *relearning["steps"]]


def relearned_people(benchmark: Path, ratio: int, share: float) -> list[str]:
    """The forget people whose records an attacker has: the first `share` of them, and never all.

    Raises UserError when there are fewer than two forget people.
    """
    people = read_ids(benchmark, forget_config(ratio))
    if len(people) < 2:
        raise UserError(f"robustness: {ratio} percent is {len(people)} forget person; relearning needs two or more")
    return people[: min(max(round(share * len(people)), 1), len(people) - 1)]


def _asked(profiles: list[Profile], split: str, ratio: int, evaluation: dict) -> Questions:
    wording = [evaluation[key] for key in ("modalities", "tasks", "classification", "prompt_style")]
    asked = [question for profile in profiles for question in asked_questions(profile, SOURCES[split], *wording)]
    return {q.question_id: q for q in asked}, [(ratio, "forget", q.question_id) for q in asked]
